"""How voxels of a segment are changed: Slicer's own way, in a box, without touching other segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from msam.protocol.masks import Box
from MSAMSegmentLib.grids import Bools, Grid, oriented_image, whole_step
from MSAMSegmentLib.segment_masks import leadingTo, readMask
from MSAMSegmentLib.segmentation_grid import LABELMAP


class SegmentVoxels:
    """Sets and clears voxels of segments of one segmentation.

    It is made anew for each change, which takes hundredths of a millisecond, so nothing of a scene is kept.
    """

    def __init__(self, segmentationNode: Any, grid: Grid) -> None:
        self._segmentation_node = segmentationNode
        self._grid = grid
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        parameters = slicer.vtkMRMLSegmentEditorNode()
        parameters.SetOverwriteMode(parameters.OverwriteNone)
        self._logic.SetSegmentEditorNode(parameters)

    def add(self, segmentId: str, voxels: Bools, box: Box) -> None:
        """Sets these voxels of a box; other segments keep theirs."""
        self._bring_to_grid(segmentId)
        image, extent = oriented_image(voxels.view(np.uint8), self._grid, box), list(self._grid.extent(box))
        mode = self._logic.ModificationModeAdd
        self._logic.ModifySegmentByLabelmap(self._segmentation_node, segmentId, image, mode, extent, False, True)

    def remove(self, segmentId: str, voxels: Bools, box: Box) -> None:
        """Clears these voxels of a box, all of which are the segment's own; other segments keep theirs."""
        self._bring_to_grid(segmentId)
        # A voxel of a layer belongs to one segment, so the layer can be cleared there without asking each voxel whose
        # it is. ModificationModeRemove asks, and takes four times as long.
        kept = oriented_image((~voxels).view(np.uint8), self._grid, box)
        sharing: list[str] = []
        segmentation = self._segmentation_node.GetSegmentation()
        segmentation.GetSegmentIDsSharingBinaryLabelmapRepresentation(segmentId, sharing, False)
        static = slicer.vtkSlicerSegmentationsModuleLogic
        static.SetBinaryLabelmapToSegment(
            kept, self._segmentation_node, segmentId, static.MODE_MERGE_MIN, self._grid.extent(box), True, sharing
        )

    def _bring_to_grid(self, segment_id: str) -> None:
        """Resamples the voxels of a segment whose layer lies on another grid, in a layer of its own.

        Slicer would resample the whole layer, and with it the other segments in it.
        """
        segmentation = self._segmentation_node.GetSegmentation()
        layer = segmentation.GetSegment(segment_id).GetRepresentation(LABELMAP)
        if layer is None or not layer.GetNumberOfPoints():
            return
        if whole_step(leadingTo(layer, self._grid), layer.GetDimensions()) is not None:
            return
        mask = readMask(self._segmentation_node, segment_id)
        segmentation.SeparateSegmentLabelmap(segment_id)
        segmentation.ClearSegment(segment_id)
        if mask.voxels.size:
            self.add(segment_id, mask.voxels, mask.box)
