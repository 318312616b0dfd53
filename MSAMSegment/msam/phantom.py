"""A thorax made of formulas: a CT-like volume with lesions whose true shape is known, for trials, tests and demos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from msam.resampling import expand
from msam.volume import Volume

Mask = npt.NDArray[np.bool_]
Field = npt.NDArray[np.float32]
Point = tuple[float, float, float]

# Field of view in mm along x (to the left), y (backwards), z (upwards); the origin is the middle of the chest.
FIELD_OF_VIEW = (352.0, 288.0, 288.0)

# Hounsfield units of the portal venous phase.
AIR, LUNG, FAT, SKIN, SOFT_TISSUE, MUSCLE = -1000, -840, -105, -5, 25, 55
BLOOD, LIVER, SPLEEN, DISC, MARROW, CORTEX = 145, 110, 120, 80, 220, 620
NOISE, BLUR = 11.0, 0.7  # standard deviations, in HU and in voxels


@dataclass(frozen=True)
class Lesion:
    """A lesion of the phantom; the n-th of the list has the label n, counted from 1."""

    name: str
    centre_ijk: tuple[int, int, int]  # a voxel of the lesion, the nearest to its centre of mass
    volume_ml: float


@dataclass(frozen=True)
class _Plan:
    """What a lesion is before chance shifts, scales and roughens it."""

    name: str
    centre: Point
    radius: float  # mm
    intensity: float  # HU


PLANS = (
    _Plan("lung nodule", (70.0, 20.0, 45.0), 11.0, 35.0),
    _Plan("liver lesion", (-75.0, -5.0, -105.0), 19.0, 50.0),
    _Plan("chest wall mass", (-126.0, 15.0, 15.0), 25.0, 95.0),
)
SHIFT, RESIZING, ROUGHNESS = 4.0, 0.12, 0.16  # mm; share of the radius; share of the radius


def thorax_phantom(
    shape: tuple[int, int, int] = (96, 160, 160), seed: int = 0
) -> tuple[Volume, npt.NDArray[np.uint8], list[Lesion]]:
    """A CT-like thorax with a lung nodule, a liver lesion and a mass of the chest wall.

    Args:
        shape: voxels along k, j, i; the body stays the same, so the spacing follows from it.
        seed: of noise, vessels, and the position, size and outline of the lesions.

    Returns:
        The volume (int16 Hounsfield units), the labels (K, J, I) with n for the n-th lesion, and the lesions.
    """
    rng = np.random.default_rng(seed)
    spacing = np.array(FIELD_OF_VIEW) / shape[::-1]
    space = _Space(*(_centred(length, step) for length, step in zip(shape[::-1], spacing, strict=True)))
    intensities = np.full(shape, AIR, np.float32)
    _draw_body(intensities, space, rng)
    labels = _draw_lesions(intensities, space, rng)
    volume = Volume(_scanned(intensities, rng), _ijk_to_ras(space, spacing), "CT")
    millilitres = float(np.prod(spacing)) / 1000.0
    lesions = [
        Lesion(plan.name, _middle(labels == label), int(np.count_nonzero(labels == label)) * millilitres)
        for label, plan in enumerate(PLANS, start=1)
    ]
    return volume, labels, lesions


class _Space:
    """Coordinates in mm that broadcast to (K, J, I)."""

    def __init__(self, x: Field, y: Field, z: Field) -> None:
        self.along = (x, y, z)
        self.x, self.y, self.z = x[None, None, :], y[None, :, None], z[:, None, None]

    def distance(self, centre: Point, radii: Point = (1.0, 1.0, 1.0)) -> Field:
        """Distance from a centre, measured in radii: an ellipsoid is where it is below 1."""
        (x, y, z), (across, deep, high) = centre, radii
        squares = ((self.x - x) / across) ** 2 + ((self.y - y) / deep) ** 2 + ((self.z - z) / high) ** 2
        return np.asarray(np.sqrt(squares), dtype=np.float32)

    def column(self, x: float, y: float, radius: float) -> Mask:
        """An upright cylinder, (1, J, I)."""
        return np.asarray((self.x - x) ** 2 + (self.y - y) ** 2 < radius**2)

    def noise(self, rng: np.random.Generator, scale: float) -> Field:
        """Smooth Gaussian noise (K, J, I) of unit variance that varies over about `scale` mm."""
        weights = []
        for positions in reversed(self.along):
            nodes = np.arange(positions[0] - 2 * scale, positions[-1] + 2 * scale, scale)
            kernel = np.exp(-0.5 * ((positions[:, None] - nodes) / (0.7 * scale)) ** 2)
            # Far nodes count for nothing, and numbers next to zero would slow the products down a hundredfold.
            kernel[kernel < 1e-6] = 0.0
            weights.append(kernel / np.linalg.norm(kernel, axis=1, keepdims=True))
        nodes_kji = rng.standard_normal([kernel.shape[1] for kernel in weights]).astype(np.float32)
        return expand(nodes_kji, (weights[0], weights[1], weights[2]))


def _draw_body(intensities: Field, space: _Space, rng: np.random.Generator) -> None:
    # The body narrows towards the neck. `depth` is about the distance in mm below the skin.
    width = 1.0 - 0.3 * np.clip((space.z - 70.0) / 80.0, 0.0, 1.0) ** 2
    across = (np.abs(space.x) / (166.0 * width)) ** 2.4 + (np.abs(space.y) / (118.0 * width)) ** 2.4
    depth = 118.0 * (1.0 - across ** (1 / 2.4)) + 2.0 * space.noise(rng, 30.0)
    for below, tissue in ((0.0, SKIN), (3.0, FAT), (16.0, MUSCLE), (34.0, SOFT_TISSUE)):
        intensities[depth > below] = tissue

    _draw_lungs(intensities, space, rng, depth > 36.0)
    intensities[space.distance((14.0, -25.0, -25.0), (52.0, 43.0, 55.0)) < 1] = BLOOD
    intensities[np.broadcast_to(space.column(16.0, 44.0, 11.0), intensities.shape)] = BLOOD
    intensities[space.column(0.0, 16.0, 8.0) & (space.z > 25.0)] = AIR
    _draw_bones(intensities, space, depth)


def _draw_lungs(intensities: Field, space: _Space, rng: np.random.Generator, cavity: Mask) -> None:
    # Where two smooth fields are both near zero there are winding tubes: vessels without a tree to grow.
    tubes = space.noise(rng, 22.0) ** 2 + space.noise(rng, 22.0) ** 2
    for side in (-1.0, 1.0):
        lung = cavity & (space.distance((side * 71.0, 2.0, 5.0), (58.0, 82.0, 118.0)) < 1)
        calibre = 0.015 + 0.12 * np.exp(-((space.distance((side * 20.0, 10.0, 5.0)) / 45.0) ** 2))
        intensities[lung] = LUNG
        intensities[lung & (tubes < calibre)] = SOFT_TISSUE
    intensities[cavity & (space.distance((-58.0, -5.0, -135.0), (92.0, 80.0, 82.0)) < 1)] = LIVER
    intensities[cavity & (space.distance((72.0, 25.0, -140.0), (52.0, 58.0, 62.0)) < 1)] = SPLEEN


def _draw_bones(intensities: Field, space: _Space, depth: Field) -> None:
    # Ribs run downwards to the front, 26 mm from one to the next, and leave out the sternum and the spine.
    phase = np.abs(np.mod(space.z - 0.45 * space.y, 26.0) - 13.0)
    within = (np.abs(depth - 29.0) < 4.5) & (phase < 5.0)
    intensities[within] = CORTEX
    intensities[within & (np.abs(depth - 29.0) < 2.5) & (phase < 3.0)] = MARROW
    sternum = (np.abs(space.x) < 17.0) & (space.y < 0) & (np.abs(depth - 27.0) < 5.0) & (space.z > -60.0)
    intensities[sternum] = MARROW
    vertebra = np.mod(space.z, 30.0) > 6.0
    intensities[space.column(0.0, 66.0, 19.0) & vertebra] = CORTEX
    intensities[space.column(0.0, 66.0, 16.5) & vertebra] = MARROW
    intensities[space.column(0.0, 66.0, 17.0) & ~vertebra] = DISC
    intensities[space.column(0.0, 91.0, 13.0) & vertebra] = CORTEX
    intensities[np.broadcast_to(space.column(0.0, 91.0, 8.0), intensities.shape)] = SOFT_TISSUE


def _draw_lesions(intensities: Field, space: _Space, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    labels = np.zeros(intensities.shape, np.uint8)
    for label, plan in enumerate(PLANS, start=1):
        x, y, z = np.array(plan.centre) + rng.uniform(-SHIFT, SHIFT, 3)
        radius = plan.radius * (1.0 + rng.uniform(-RESIZING, RESIZING))
        outline = space.distance((x, y, z)) / radius + ROUGHNESS * space.noise(rng, 0.8 * radius)
        labels[outline < 1] = label
        intensities[outline < 1] = plan.intensity
    return labels


def _scanned(intensities: Field, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """What a scanner makes of it: a little blur and noise, whole Hounsfield units."""
    blurred = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(intensities), BLUR))
    noisy = blurred + NOISE * rng.standard_normal(intensities.shape, dtype=np.float32)
    return np.asarray(np.clip(np.rint(noisy), -1024, 3071), dtype=np.int16)


def _centred(length: int, step: float) -> Field:
    return np.asarray((np.arange(length) - (length - 1) / 2) * step, dtype=np.float32)


def _ijk_to_ras(space: _Space, spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Axes along L, P, S, as scanners store them."""
    matrix = np.diag([*(spacing * (-1, -1, 1)), 1.0])
    matrix[:3, 3] = np.array([along[0] for along in space.along], dtype=np.float64) * (-1, -1, 1)
    return matrix


def _middle(mask: Mask) -> tuple[int, int, int]:
    voxels = np.argwhere(mask)
    k, j, i = (int(index) for index in voxels[np.square(voxels - voxels.mean(axis=0)).sum(axis=1).argmin()])
    return i, j, k
