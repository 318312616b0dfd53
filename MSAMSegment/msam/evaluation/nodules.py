"""Procedural lung nodules of 5 to 15 mm, painted into the lungs of a real chest CT: a validation set of small lesions.

The labelled tumours are large and none of them lies in a lung. These nodules show how a model does where the lesion
is a few voxels wide. They have nothing in common with the lesions that training paints (`msam.training.lesions`) but
the idea. The same scan and the same number give the same nodules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from msam.errors import VolumeError
from msam.manifest import Case
from msam.volume import Volume

DATASET = "lung_nodules"
DIAMETERS_MM = (5.0, 15.0)
GOLDEN = (5**0.5 - 1) / 2  # its multiples, without their whole parts, are spread evenly
# Lungs are darker than this, in HU, and no part of them smaller than this, in mL.
AIR_BELOW, LEAST_LUNG_ML = -500, 200.0
# One nodule in four is subsolid.
SOLID_HU, SUBSOLID_HU, SUBSOLID_EVERY = (-20.0, 60.0), (-550.0, -300.0), 4
# Noise and texture inside, in HU; a solid nodule is as noisy as other soft tissue.
NOISE_HU, TEXTURE_HU = 25.0, 15.0
# Deviation of the blur of the scanner, in mm.
BLUR_MM = 0.6
# Points along each axis of a voxel at which the shape is looked at.
SAMPLES = 4
# How far the surface is from an ellipsoid, as a share of the radius, and how long its axes are.
ROUGHNESS, STRETCH = 0.12, 0.18
BUMPS = 12
# Lung that must be around a nodule, as a share of a ball this much wider: it may touch vessels, and no wall.
LEAST_LUNG, MARGIN_MM = 0.85, 2.0
MOST_TRIES = 20_000

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class NoduleCase(Case):
    """The chest CT with one nodule painted into it.

    Attributes:
        number: which nodule, from 0. It is the same however many there are.
    """

    number: int = 0

    @property
    def diameter(self) -> float:
        """In mm. The diameters of the first few cases are spread over the whole range, and those of many evenly."""
        low, high = DIAMETERS_MM
        return low + (high - low) * (self.number * GOLDEN % 1.0)

    def read(self) -> tuple[Volume, npt.NDArray[Any]]:
        """The scan with the nodule, and its label: 1 inside.

        Raises:
            VolumeError: the scan cannot be read, or no lung is found in it.
        """
        volume, lung, labelled = _chest(self.image, self.label)
        subsolid = self.number % SUBSOLID_EVERY == SUBSOLID_EVERY - 1
        random = np.random.default_rng(self.number)
        return painted(volume, lung, labelled, self.diameter, subsolid=subsolid, random=random)


def nodule_cases(scan: Case, count: int) -> list[Case]:
    """As many cases, each with one nodule.

    Args:
        scan: a labelled chest CT; nodules keep away from what is labelled there.
        count: how many.
    """
    return [
        NoduleCase(
            dataset=DATASET,
            case=f"nodule_{number + 1:02d}",
            patient=scan.patient,
            modality="CT",
            split=scan.split,
            image=scan.image,
            label=scan.label,
            labels={1: "nodule"},
            number=number,
        )
        for number in range(count)
    ]


def painted(
    volume: Volume, lung: Mask, labelled: Mask, diameter: float, *, subsolid: bool, random: np.random.Generator
) -> tuple[Volume, npt.NDArray[np.uint8]]:
    """Paints one nodule.

    Args:
        volume: the CT.
        lung: (K, J, I), where nodules may lie.
        labelled: (K, J, I), what they keep away from.
        diameter: of the ball of the same volume, in mm.
        subsolid: darker than soft tissue, with the lung shining through.
        random: source of randomness.

    Returns:
        A new scan, and its label (K, J, I): 1 where at least half of the voxel is nodule.
    """
    spacing = volume.spacing[::-1]
    centre = _place(lung, labelled, spacing, diameter / 2, random)
    reach = np.ceil((0.75 * diameter + 3 * BLUR_MM) / spacing).astype(int) + 1
    low = np.maximum(centre - reach, 0)
    high = np.minimum(centre + reach + 1, lung.shape)
    where = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    offset = centre - low + random.uniform(-0.5, 0.5, 3)
    occupancy = _occupancy(high - low, offset, spacing, diameter / 2, random)

    inside = random.uniform(*(SUBSOLID_HU if subsolid else SOLID_HU))
    body = inside + NOISE_HU * random.standard_normal(occupancy.shape)
    body += TEXTURE_HU * _smooth(random.standard_normal(occupancy.shape), spacing, 1.5) * 4
    share = _smooth(occupancy, spacing, BLUR_MM)
    voxels = volume.voxels.copy()
    tissue = voxels[where].astype(np.float64)
    # A nodule pushes lung aside, but not the denser vessels that run into it.
    voxels[where] = np.rint(tissue + share * np.maximum(body - tissue, 0)).astype(voxels.dtype)
    label = np.zeros(lung.shape, np.uint8)
    label[where] = occupancy >= 0.5
    return Volume(voxels, volume.ijk_to_ras, "CT", source=volume.source), label


def find_lung(volume: Volume) -> Mask:
    """The air inside the body, (K, J, I), its vessels and nodules included.

    Raises:
        VolumeError: there is none.
    """
    air = volume.voxels < AIR_BELOW
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(air.astype(np.uint8))))
    around = np.unique(np.concatenate([parts[:, [0, -1]].ravel(), parts[:, :, [0, -1]].ravel()]))
    sizes = np.bincount(parts.ravel()) * (abs(float(np.linalg.det(volume.ijk_to_ras[:3, :3]))) / 1000)
    sizes[0] = 0
    sizes[around] = 0
    lung = np.isin(parts, np.flatnonzero(sizes >= LEAST_LUNG_ML))
    if not lung.any():
        raise VolumeError("Nodules are painted into lungs, and this scan shows none; give a CT of a whole chest.")
    return lung


@lru_cache(maxsize=1)
def _chest(image: Path, label: Path) -> tuple[Volume, Mask, Mask]:
    """The scan, its lung, and what is labelled in it; kept, since all cases share them."""
    volume = Volume.read(image)
    if not volume.is_ct:
        raise VolumeError(f"Nodules are painted into a CT of the chest; '{image.name}' is none.")
    return volume, find_lung(volume), Volume.read(label).voxels != 0


def _place(
    lung: Mask, labelled: Mask, spacing: Floats, radius: float, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """A voxel (k, j, i) of the lung with lung almost all around, and nothing that is labelled."""
    candidates = np.flatnonzero(lung)
    reach = np.ceil((radius + MARGIN_MM) / spacing).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1)
    ball = grid[((grid * spacing) ** 2).sum(axis=-1) <= (radius + MARGIN_MM) ** 2]
    for _ in range(MOST_TRIES):
        centre = np.array(np.unravel_index(candidates[random.integers(len(candidates))], lung.shape))
        around = centre + ball
        if (around < 0).any() or (around >= lung.shape).any():
            continue
        seen = tuple(around.T)
        if lung[seen].mean() >= LEAST_LUNG and not labelled[seen].any():
            return centre
    raise VolumeError(f"No place for a nodule of {2 * radius:.0f} mm was found in the lungs of the scan.")


def _occupancy(
    shape: npt.NDArray[np.int64], centre: Floats, spacing: Floats, radius: float, random: np.random.Generator
) -> Floats:
    """The share of every voxel that a bumpy ellipsoid fills."""
    stretch = np.exp(random.normal(0, STRETCH, 3))
    stretch /= stretch.prod() ** (1 / 3)
    turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
    bumps = random.standard_normal((BUMPS, 3))
    bumps /= np.linalg.norm(bumps, axis=1, keepdims=True)
    heights = random.normal(0, ROUGHNESS, BUMPS)
    fine = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    along = [
        ((np.arange(n)[:, None] + fine).ravel() - middle) * step
        for n, middle, step in zip(shape, centre, spacing, strict=True)
    ]
    position = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1) @ turn / stretch
    distance = np.linalg.norm(position, axis=-1)
    direction = position / np.maximum(distance, 1e-6)[..., None]
    surface = 1 + sum(height * np.exp(4 * (direction @ bump - 1)) for height, bump in zip(heights, bumps, strict=True))
    inside = distance < radius * surface
    blocks = inside.reshape(*(x for n in shape for x in (int(n), SAMPLES)))
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float64)


def _smooth(values: Floats, spacing: Floats, deviation_mm: float) -> Floats:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing[::-1].tolist())
    return np.asarray(sitk.GetArrayFromImage(sitk.DiscreteGaussian(image, [deviation_mm**2] * 3)))
