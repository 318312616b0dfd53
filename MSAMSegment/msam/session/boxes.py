"""Boxes of voxels, ((i0, i1), (j0, j1), (k0, k1)), half-open, and the arrays [k, j, i] that fill them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from msam.region import Box

NO_BOX: Box = ((0, 0), (0, 0), (0, 0))


def tight_box(voxels: npt.NDArray[Any]) -> Box:
    """The smallest box ((i0, i1), (j0, j1), (k0, k1)) that holds all that is set in an array [k, j, i]."""
    rows: npt.NDArray[np.bool_] = np.asarray(voxels.any(axis=2))
    if not rows.any():
        return NO_BOX
    k, j = _span(rows.any(axis=1)), _span(rows.any(axis=0))
    return _span(voxels[slice(*k), slice(*j)].any(axis=(0, 1))), j, k


def shape_kji(box: Box) -> tuple[int, int, int]:
    """The shape of the array of a box."""
    (i0, i1), (j0, j1), (k0, k1) = box
    return k1 - k0, j1 - j0, i1 - i0


def union(one: Box, other: Box) -> Box:
    """The smallest box that holds two; an empty one adds nothing."""
    if 0 in shape_kji(one):
        return other
    if 0 in shape_kji(other):
        return one
    i, j, k = ((min(a0, b0), max(a1, b1)) for (a0, a1), (b0, b1) in zip(one, other, strict=True))
    return i, j, k


def common(one: Box, other: Box) -> Box:
    """What two boxes share; empty, at a place inside both arrays, when they share nothing."""
    i, j, k = ((max(a0, b0), min(a1, b1)) for (a0, a1), (b0, b1) in zip(one, other, strict=True))
    return (i, j, k) if all(start < stop for start, stop in (i, j, k)) else NO_BOX


def part(array: npt.NDArray[Any], array_box: Box, box: Box) -> npt.NDArray[Any]:
    """The view of an array [k, j, i], which lies in a box of the volume, that shows a smaller box within it."""
    if 0 in shape_kji(box):
        return array[:0, :0, :0]
    (i, _), (j, _), (k, _) = array_box
    (i0, i1), (j0, j1), (k0, k1) = box
    return array[k0 - k : k1 - k, j0 - j : j1 - j, i0 - i : i1 - i]


def shifted(box: Box, by: Box) -> Box:
    """A box counted from the start of another as a box of the volume."""
    i, j, k = ((start + first, stop + first) for (start, stop), (first, _) in zip(box, by, strict=True))
    return i, j, k


def _span(line: Any) -> tuple[int, int]:
    at = np.flatnonzero(line)
    return int(at[0]), int(at[-1]) + 1
