"""Masks in and out of the segments of a segmentation, and between its grid and that of the volume."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from msam import geometry
from msam.protocol.masks import Mask, changed
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import SAME_PLACE, Bools, Grid, Matrix, inverse, moved, shifted
from MSAMSegmentLib.masking import Overwrite, WriteOptions, allowedIn, givingSegments, isLocked
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segment_masks import readMask, segmentOf
from MSAMSegmentLib.segment_voxels import SegmentVoxels
from MSAMSegmentLib.segmentation_grid import ensureGeometry, segmentationGrid
from MSAMSegmentLib.transforms import between
from MSAMSegmentLib.translation import tr as _

__all__ = [
    "ensureGeometry",
    "isReached",
    "readMask",
    "segmentationGrid",
    "shareBeyond",
    "toSegmentationGrid",
    "toVolumeGrid",
    "writeMask",
]

KEEP_OTHERS = WriteOptions()


def writeMask(
    segmentationNode: Any,
    segmentId: str,
    before: Mask,
    after: Mask,
    options: WriteOptions = KEEP_OTHERS,
    volumeNode: Any = None,
    onTaken: Callable[[str, Mask, Mask], None] | None = None,
) -> Mask:
    """Writes a segment where two masks differ, and nowhere else.

    Args:
        segmentationNode: the segmentation.
        segmentId: the segment.
        before: what is in it, on the grid of the segmentation.
        after: what is to be in it, on the same grid; clipped to it.
        options: what becomes of other segments, and where the segment may change.
        volumeNode: whose intensities count; needed for an intensity range only.
        onTaken: told of every other segment that has lost voxels: its id, its mask before and its mask now.

    Returns:
        What is in the segment now.

    Raises:
        SceneError: there is no such segment, it is locked, or the segmentation has no grid of voxels. Nothing was
            written then.
        VolumeError: the intensities of the volume cannot be used. Nothing was written then.
    """
    grid = segmentationGrid(segmentationNode)
    segmentOf(segmentationNode, segmentId)
    if isLocked(segmentationNode, segmentId):
        raise SceneError(
            _(
                "The selected segment is marked as completed, so it is not changed. Set its status to In progress, "
                "or select another segment."
            )
        )
    change = changed(before, shifted(after, (0, 0, 0), grid.shapeIjk))
    current = readMask(segmentationNode, segmentId)
    if not change.voxels.size:
        return current
    now, wanted = current.within(change.box), change.voxels
    if options.overwrite is Overwrite.ONLY_WHERE_ALLOWED:
        allowed = allowedIn(segmentationNode, segmentId, grid, change.box, options, volumeNode)
        wanted = np.where(allowed, wanted, now)
    added, removed = wanted & ~now, now & ~wanted
    if not added.any() and not removed.any():
        return current
    editor = SegmentVoxels(segmentationNode, grid)
    if options.overwrite is Overwrite.TAKE_FROM_OTHERS and added.any():
        for other in givingSegments(segmentationNode, segmentId):
            theirs = readMask(segmentationNode, other)
            taken = theirs.within(change.box) & added
            if taken.any():
                editor.remove(other, taken, change.box)
                if onTaken is not None:
                    onTaken(other, theirs, readMask(segmentationNode, other))
    if removed.any():
        editor.remove(segmentId, removed, change.box)
    if added.any():
        editor.add(segmentId, added, change.box)
    return readMask(segmentationNode, segmentId)


def toSegmentationGrid(mask: Mask, scan: Scan, segmentationNode: Any) -> Mask:
    """A mask on the volume's grid, as it is on the segmentation's: clipped to it, and resampled when they differ.

    Raises:
        SceneError: the segmentation has no grid of voxels, or a transform between the two is not linear.
    """
    grid = segmentationGrid(segmentationNode)
    return moved(mask, _volume_to_segmentation(scan, grid, segmentationNode), grid.shapeIjk)


def toVolumeGrid(mask: Mask, scan: Scan, segmentationNode: Any) -> Mask:
    """A mask on the segmentation's grid, as it is on the volume's: clipped to it, and resampled when they differ.

    Raises:
        SceneError: the segmentation has no grid of voxels, or a transform between the two is not linear.
    """
    grid = segmentationGrid(segmentationNode)
    return moved(mask, inverse(_volume_to_segmentation(scan, grid, segmentationNode)), scan.shapeIjk)


def isReached(segmentationNode: Any, scan: Scan, ijk: Sequence[float]) -> bool:
    """Whether a place in voxels of the volume lies in the grid of the segmentation.

    Raises:
        SceneError: the segmentation has no grid of voxels, or a transform between the two is not linear.
    """
    grid = segmentationGrid(segmentationNode)
    return bool(_inside(grid, geometry.transform(_volume_to_segmentation(scan, grid, segmentationNode), ijk)))


def shareBeyond(mask: Mask, scan: Scan, segmentationNode: Any) -> float:
    """How much of a mask on the volume's grid lies beyond that of the segmentation, from 0 for nothing to 1 for all.

    Raises:
        SceneError: the segmentation has no grid of voxels, or a transform between the two is not linear.
    """
    grid = segmentationGrid(segmentationNode)
    matrix = _volume_to_segmentation(scan, grid, segmentationNode)
    corners = np.array(list(itertools.product(*((start, stop - 1) for start, stop in mask.box))))
    if not mask.voxels.any() or _inside(grid, geometry.transform(matrix, corners)).all():
        return 0.0
    places = np.argwhere(mask.voxels)[:, ::-1] + [start for start, _stop in mask.box]
    return float(1 - _inside(grid, geometry.transform(matrix, places)).mean())


def _inside(grid: Grid, ijk: npt.NDArray[np.float64]) -> Bools:
    """Which places (..., 3) in voxels of a grid lie in it, which reaches half a voxel beyond voxel centres."""
    rim = 0.5 + SAME_PLACE
    return np.asarray(((ijk >= -rim) & (ijk <= np.array(grid.shapeIjk) - 1 + rim)).all(axis=-1))


def _volume_to_segmentation(scan: Scan, grid: Grid, segmentationNode: Any) -> Matrix:
    return inverse(grid.ijkToRas) @ between(scan.node, segmentationNode) @ scan.ijkToRas
