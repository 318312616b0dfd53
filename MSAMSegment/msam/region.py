"""Regions of interest: where they lie, how they are cut from a volume, and how results are put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.errors import StateError
from msam.normalisation import CT_RANGE
from msam.resampling import (
    ROUNDING,
    AxisMap,
    Float32,
    Floats,
    averaging,
    enlargement,
    expand,
    linear,
    resample,
    sampling,
)
from msam.volume import Volume

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Region:
    """A cube of `size` voxels a side, along the volume's axes, in the order R, A, S (flips and permutations only)."""

    size: int
    centre: tuple[float, float, float]  # i, j, k of the region's voxel (size // 2, size // 2, size // 2)
    spacing: float | None  # mm; None: the volume's own along each axis

    @classmethod
    def around(cls, centre_ijk: npt.ArrayLike, size: int, spacing: float | None) -> Region:
        """The region around a position, on the volume's own voxels where no resampling is asked for.

        Args:
            centre_ijk: (3,) position in voxels, which need not be whole. It may lie outside the volume.
            size: voxels along each side.
            spacing: mm along each side, or None for the volume's own spacing; then the centre is the nearest voxel.
        """
        centre = np.asarray(centre_ijk, dtype=np.float64)
        if spacing is None:
            centre = np.floor(centre + 0.5)
        i, j, k = (float(value) for value in centre)
        return cls(int(size), (i, j, k), None if spacing is None else float(spacing))

    def to_roi(self, volume: Volume, ijk: npt.ArrayLike) -> Floats:
        """Voxels (N, 3) of the volume as voxels (N, 3) of the region, order R, A, S."""
        offsets = np.asarray(ijk, dtype=np.float64) - self.centre
        return np.asarray(offsets[..., list(volume.orientation.axes)] / self._steps(volume) + self.size // 2)

    def to_ijk(self, volume: Volume, roi: npt.ArrayLike) -> Floats:
        """Voxels (N, 3) of the region as voxels (N, 3) of the volume."""
        offsets = (np.asarray(roi, dtype=np.float64) - self.size // 2) * self._steps(volume)
        return np.asarray(offsets[..., list(np.argsort(volume.orientation.axes))] + self.centre)

    def contains(self, volume: Volume, ijk: npt.ArrayLike) -> bool:
        """Whether a position (3,) of the volume lies in one of the region's voxels."""
        roi = self.to_roi(volume, ijk)
        return bool(((roi >= -0.5 - ROUNDING) & (roi <= self.size - 0.5 + ROUNDING)).all())

    def box(self, volume: Volume) -> Box:
        """The voxels of the volume whose centres the region covers; start equals stop where there are none."""
        corners = self.to_ijk(volume, [[-0.5] * 3, [self.size - 0.5] * 3])
        start = np.ceil(corners.min(axis=0) - ROUNDING).astype(int)
        stop = np.floor(corners.max(axis=0) + ROUNDING).astype(int) + 1
        start = np.clip(start, 0, volume.shape_ijk)
        stop = np.clip(stop, start, volume.shape_ijk)
        i, j, k = ((int(first), int(last)) for first, last in zip(start, stop, strict=True))
        return i, j, k

    def inside(self, volume: Volume) -> npt.NDArray[np.bool_]:
        """Which voxels of the region lie in the volume, (S, S, S) bool."""
        along = [self._sampling(volume, axis).inside for axis in volume.orientation.axes]
        return np.asarray(along[0][:, None, None] & along[1][:, None] & along[2])

    def to_dict(self) -> dict[str, Any]:
        """The region as plain JSON values."""
        return {"size": self.size, "centre": list(self.centre), "spacing": self.spacing}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Region:
        """The region that `to_dict` gave.

        Raises:
            StateError: the values are not those of a region.
        """
        try:
            i, j, k = (float(value) for value in values["centre"])
            spacing = None if values["spacing"] is None else float(values["spacing"])
            region = cls(int(values["size"]), (i, j, k), spacing)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateError("The state does not hold a region of interest; start again from the clicks.") from error
        if region.size < 1 or not np.isfinite((i, j, k)).all() or not (spacing is None or 0 < spacing < np.inf):
            raise StateError("The state holds an impossible region of interest; start again from the clicks.")
        return region

    def _steps(self, volume: Volume) -> Floats:
        """Volume voxels from one region voxel to the next along R, A, S; negative where the axis runs against it."""
        signs = np.asarray(volume.orientation.signs, dtype=np.float64)
        return signs if self.spacing is None else signs * self.spacing / volume.spacing[list(volume.orientation.axes)]

    def _step(self, volume: Volume, axis: int) -> float:
        return float(self._steps(volume)[volume.orientation.axes.index(axis)])

    def _sampling(self, volume: Volume, axis: int) -> AxisMap:
        """How the region samples axis i (0), j (1) or k (2) of the volume."""
        step = self._step(volume, axis)
        positions = self.centre[axis] + (np.arange(self.size) - self.size // 2) * step
        return sampling(positions, abs(step), volume.shape_ijk[axis])


def cut(volume: Volume, region: Region, fill: float = 0.0) -> Float32:
    """The intensities of a region of interest; CT clamped to -1000 ... 1000 HU as in the published training.

    Finer than the volume, voxels are interpolated linearly; coarser, averaged with a triangle as wide as the step.
    Only voxels that take part are read, and how many depends on the region, not on the volume.

    Args:
        volume: the scan.
        region: where to cut.
        fill: intensity of what lies outside the volume.

    Returns:
        (S, S, S) float32 in the order R, A, S.
    """
    along_i, along_j, along_k = (region._sampling(volume, axis) for axis in range(3))
    values = resample(volume.voxels, (along_k, along_j, along_i), CT_RANGE if volume.is_ct else None)
    if fill != 0.0:
        values[~along_k.inside] = fill
        values[:, ~along_j.inside] = fill
        values[:, :, ~along_i.inside] = fill
    return np.ascontiguousarray(values.transpose(_kji_of_roi(volume)))


def paste(logits: npt.NDArray[Any], volume: Volume, region: Region, box: Box | None = None) -> tuple[Box, Float32]:
    """Logits of a region interpolated to the volume's own voxels, inside the region only.

    Trilinear from the low resolution to the region's voxels, as the published code does it, and from there to the
    volume's voxels; both in one matrix per axis. Beyond the centres of its outermost voxels their values go on.

    Args:
        logits: (m, m, m) in the order R, A, S.
        volume: the scan.
        region: where the logits lie.
        box: return this part of the region's box only.

    Returns:
        The box ((i0, i1), (j0, j1), (k0, k1)), half-open, and float32 logits (k1 - k0, j1 - j0, i1 - i0).
    """
    box = region.box(volume) if box is None else _common(box, region.box(volume))
    order = volume.orientation.axes
    enlarge = enlargement(logits.shape[0], region.size)

    def along(axis: int) -> Floats:
        positions = (np.arange(*box[axis]) - region.centre[axis]) / region._step(volume, axis) + region.size // 2
        return np.asarray(linear(positions, region.size) @ enlarge)

    in_kji = np.asarray(logits, dtype=np.float32).transpose([order.index(axis) for axis in (2, 1, 0)])
    return box, expand(np.ascontiguousarray(in_kji), (along(2), along(1), along(0)))


def project(mask_box: npt.NDArray[Any], box: Box, volume: Volume, region: Region, m: int) -> Float32:
    """A mask of the volume as the low-resolution grid of a region sees it.

    Args:
        mask_box: the mask inside the box, (k1 - k0, j1 - j0, i1 - i0), bool or 0 and 1. Empty outside the box.
        box: ((i0, i1), (j0, j1), (k0, k1)), half-open.
        volume: the scan.
        region: which sees the mask.
        m: cells along each side of the grid.

    Returns:
        (m, m, m) float32 in the order R, A, S: the share of each cell that the mask fills, 0 to 1.
    """
    edges = np.arange(m + 1) * region.size / m - 0.5 - region.size // 2

    def along(axis: int) -> AxisMap:
        start, stop = box[axis]
        return averaging(region.centre[axis] + edges * region._step(volume, axis), start, stop - start)

    occupancy = resample(mask_box, (along(2), along(1), along(0)))
    return np.ascontiguousarray(occupancy.transpose(_kji_of_roi(volume)))


def _kji_of_roi(volume: Volume) -> list[int]:
    """For R, A and S, the axis of an array [k, j, i] that runs along it."""
    return [2 - axis for axis in volume.orientation.axes]


def _common(one: Box, other: Box) -> Box:
    def overlap(axis: int) -> tuple[int, int]:
        start = max(one[axis][0], other[axis][0])
        return start, max(start, min(one[axis][1], other[axis][1]))

    return overlap(0), overlap(1), overlap(2)
