"""Separable resampling: every interpolation is one small matrix per axis.

A cut, a paste and a projection differ only in these matrices. They are dense because the products then run in BLAS,
which beats gathering the few neighbours of each sample. One large product per axis, never a stack of small ones: BLAS
would wake its threads for each of them, which takes seconds where the cores are busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]

# A source is turned into float32 in portions of this many voxels (16 MB), however large the block to read is.
VOXELS_AT_ONCE = 1 << 22

# Positions that miss a border by less than this many voxels are on it: world coordinates are rounded.
ROUNDING = 1e-6


@dataclass(frozen=True)
class AxisMap:
    """How the samples along one axis of the output are mixed from the samples along that axis of the source."""

    source: slice  # what is read of the source
    weights: Float32  # (outputs, samples read)
    inside: npt.NDArray[np.bool_]  # (outputs,) False where the output lies outside the source


def sampling(positions: Floats, step: float, length: int) -> AxisMap:
    """Samples of an axis at evenly spaced positions: linear where they are close, antialiased where they are far apart.

    The kernel is a triangle whose half-width is the step, and never less than a source voxel. A kernel wider than
    four voxels a side skips source voxels evenly, so that the voxels read depend on the size of the output alone.

    Args:
        positions: (n,) where to sample, in source voxels, evenly spaced in either direction.
        step: distance of neighbouring positions in source voxels, positive.
        length: number of source voxels. The border voxels extend half a voxel outwards; beyond that is outside.
    """
    inside = (positions >= -0.5 - ROUNDING) & (positions <= length - 0.5 + ROUNDING)
    if not inside.any():
        return AxisMap(slice(0, 0), np.zeros((len(positions), 0), np.float32), inside)
    width = max(1.0, step)
    stride = max(1, int(step // 2))
    first = max(0, int(np.floor(positions[inside].min() - width)) + 1)
    last = min(length - 1, int(np.ceil(positions[inside].max() + width)) - 1)
    # Counting the voxels to skip from the volume's own first voxel lets all regions see the same voxels.
    first = min(-(-first // stride) * stride, (length - 1) // stride * stride)
    read = np.arange(first, last + 1, stride)
    weights = np.maximum(0.0, 1.0 - np.abs(positions[:, None] - read) / width) * inside[:, None]
    totals = weights.sum(axis=1, keepdims=True)
    return AxisMap(slice(first, last + 1, stride), _float32(weights / np.where(totals > 0, totals, 1.0)), inside)


def linear(positions: Floats, length: int) -> Floats:
    """Weights (n, length) of linear interpolation at any positions; beyond the outermost samples these are repeated."""
    clamped = np.clip(positions, 0.0, length - 1.0)
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(clamped[:, None] - np.arange(length))))


def enlargement(small: int, large: int) -> Floats:
    """Weights (large, small) of `torch.nn.functional.interpolate(mode="linear", align_corners=False)`."""
    return linear((np.arange(large) + 0.5) * small / large - 0.5, small)


def averaging(edges: Floats, first: int, length: int) -> AxisMap:
    """Mean over cells of an axis, counting whatever the source does not hold as zero.

    Args:
        edges: (cells + 1,) borders of the cells in voxels, ascending or descending; voxel v covers v - 0.5 to v + 0.5.
        first: index, in those voxels, of the first sample that the source holds.
        length: number of samples that the source holds.
    """
    lower = np.minimum(edges[:-1], edges[1:])[:, None]
    upper = np.maximum(edges[:-1], edges[1:])[:, None]
    voxels = first + np.arange(length)
    weights = np.maximum(0.0, np.minimum(upper, voxels + 0.5) - np.maximum(lower, voxels - 0.5)) / (upper - lower)
    touched = np.flatnonzero(weights.any(axis=0))
    source = slice(int(touched[0]), int(touched[-1]) + 1) if len(touched) else slice(0, 0)
    return AxisMap(source, _float32(weights[:, source]), weights.any(axis=1))


def resample(
    voxels: npt.NDArray[Any], maps: tuple[AxisMap, AxisMap, AxisMap], limits: tuple[float, float] | None = None
) -> Float32:
    """A source seen through one map per axis.

    Args:
        voxels: three-dimensional, any real type; only what the maps read is touched.
        maps: one for each axis of `voxels`, in their order.
        limits: values are clamped to this range before they are mixed.

    Returns:
        float32 of the shape that the maps give, zero where they point outside the source.
    """
    first, second, third = maps
    block = voxels[first.source, second.source, third.source]
    planes = np.empty((block.shape[0], len(third.weights), len(second.weights)), np.float32)
    depth = max(1, VOXELS_AT_ONCE // max(1, block.shape[1] * block.shape[2]))
    for start in range(0, block.shape[0], depth):
        part = np.array(block[start : start + depth], dtype=np.float32, order="C", subok=False)
        if limits is not None:
            np.clip(part, *limits, out=part)
        rows = np.tensordot(part, third.weights, axes=(2, 1))
        planes[start : start + depth] = np.tensordot(rows, second.weights, axes=(1, 1))
    return _float32(np.tensordot(first.weights, planes, axes=1).transpose(0, 2, 1))


def expand(values: Float32, weights: tuple[Floats, Floats, Floats]) -> Float32:
    """A small cube interpolated along every axis by a matrix (outputs, samples) for each."""
    first, second, third = (_float32(matrix) for matrix in weights)
    planes = np.tensordot(first, np.tensordot(second, values, axes=(1, 1)), axes=(1, 1))
    return _float32(np.tensordot(planes, third, axes=(2, 1)))


def _float32(values: npt.NDArray[Any]) -> Float32:
    return np.ascontiguousarray(values, dtype=np.float32)
