"""Where a segment may be written, and what becomes of the segments that are there already."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer

from msam.protocol.masks import Box, shape_kji
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import Bools, Grid, inverse, resampled, whole_step
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segment_masks import readMask
from MSAMSegmentLib.transforms import between
from MSAMSegmentLib.translation import tr as _


class Overwrite(StrEnum):
    """What becomes of other segments where the written one grows into them."""

    KEEP_OTHERS = "keepOthers"
    """They stay as they are; segments may overlap."""
    TAKE_FROM_OTHERS = "takeFromOthers"
    """They give up the voxels, unless they are hidden or locked."""
    ONLY_WHERE_ALLOWED = "onlyWhereAllowed"
    """They stay as they are, and the segment changes in the editable area and intensity range only."""


@dataclass(frozen=True)
class WriteOptions:
    """How a segment is written.

    Attributes:
        overwrite: what becomes of other segments.
        editableArea: with ONLY_WHERE_ALLOWED, where the segment may grow and shrink, as one of
            vtkMRMLSegmentationNode.EditAllowed*.
        maskSegmentId: with ONLY_WHERE_ALLOWED and EditAllowedInsideSingleSegment, the segment to stay in.
        intensityRange: with ONLY_WHERE_ALLOWED, the lowest and highest intensity of voxels that may change; None for
            any intensity.
    """

    overwrite: Overwrite = Overwrite.KEEP_OTHERS
    editableArea: int = slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    maskSegmentId: str = ""
    intensityRange: tuple[float, float] | None = None


def isHidden(segmentationNode: Any, segmentId: str) -> bool:
    """Whether the eye of a segment is closed; that of the whole segmentation does not count, as in Segment Editor."""
    display = segmentationNode.GetDisplayNode()
    return display is not None and not display.GetSegmentVisibility(segmentId)


def isLocked(segmentationNode: Any, segmentId: str) -> bool:
    """Whether a segment must stay as it is: its status is Completed. Slicer has no other lock for segments."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    return segment is not None and logic.GetSegmentStatus(segment) == logic.Completed


def givingSegments(segmentationNode: Any, segmentId: str) -> list[str]:
    """The other segments from which voxels may be taken: all but the hidden and the locked ones."""
    return [
        other
        for other in segmentationNode.GetSegmentation().GetSegmentIDs()
        if other != segmentId and not isHidden(segmentationNode, other) and not isLocked(segmentationNode, other)
    ]


def allowedIn(
    segmentationNode: Any, segmentId: str, grid: Grid, box: Box, options: WriteOptions, volumeNode: Any
) -> Bools:
    """Which voxels of a box may change with ONLY_WHERE_ALLOWED.

    Args:
        segmentationNode: the segmentation.
        segmentId: the segment that is written.
        grid: of the segmentation.
        box: not empty.
        options: editable area and intensity range.
        volumeNode: whose intensities count; not needed without an intensity range.

    Returns:
        (K', J', I').

    Raises:
        SceneError: the segment to stay in is none of the segmentation, or the transforms are not linear.
        VolumeError: there is no volume to take the intensities from.
    """
    allowed = np.ones(shape_kji(box), np.bool_)
    if options.editableArea != segmentationNode.EditAllowedEverywhere:
        allowed &= _in_editable_area(segmentationNode, segmentId, box, options)
    if options.intensityRange is not None:
        low, high = options.intensityRange
        intensities = _intensities(segmentationNode, grid, box, Scan.of(volumeNode))
        allowed &= (intensities >= low) & (intensities <= high)
    return allowed


def _in_editable_area(segmentationNode: Any, segmentId: str, box: Box, options: WriteOptions) -> Bools:
    """Where Segment Editor would let the segment be painted, (K', J', I')."""
    node, area = segmentationNode, options.editableArea
    segments = list(node.GetSegmentation().GetSegmentIDs())
    if area == node.EditAllowedInsideSingleSegment:
        if options.maskSegmentId not in segments:
            raise SceneError(
                _(
                    "The segment to stay in is not in this segmentation any more. Choose another one as editable "
                    "area, or allow editing everywhere."
                )
            )
        segments = [options.maskSegmentId]
    elif area in (node.EditAllowedInsideVisibleSegments, node.EditAllowedOutsideVisibleSegments):
        segments = [each for each in segments if not isHidden(node, each)]
    outside = area in (node.EditAllowedOutsideAllSegments, node.EditAllowedOutsideVisibleSegments)
    covered = np.zeros(shape_kji(box), np.bool_)
    for each in segments:
        if not (outside and each == segmentId):
            covered |= readMask(node, each).within(box)
    return ~covered if outside else covered


def _intensities(segmentationNode: Any, grid: Grid, box: Box, scan: Scan) -> npt.NDArray[Any]:
    """The intensities of a volume at the voxels of a box; NaN where the volume does not reach."""
    to_volume = between(segmentationNode, scan.node)
    matrix = inverse(scan.ijkToRas) @ to_volume @ grid.ijkToRas
    step = whole_step(matrix, grid.shapeIjk)
    if step is not None:
        spans = [(start + by, stop + by) for (start, stop), by in zip(box, step, strict=True)]
        if all(start >= 0 and stop <= length for (start, stop), length in zip(spans, scan.shapeIjk, strict=True)):
            i, j, k = (slice(start, stop) for start, stop in spans)
            return scan.voxels[k, j, i]
    return resampled(scan.node.GetImageData(), matrix, box, outside=np.nan)
