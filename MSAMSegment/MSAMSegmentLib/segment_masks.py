"""What is in a segment."""

from __future__ import annotations

from typing import Any

import vtk

from msam import geometry
from msam.protocol.masks import EMPTY, Mask
from MSAMSegmentLib import grids
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import Grid, Matrix, inverse, moved
from MSAMSegmentLib.segmentation_grid import LABELMAP, segmentationGrid
from MSAMSegmentLib.translation import tr as _


def readMask(segmentationNode: Any, segmentId: str) -> Mask:
    """The voxels of one segment, on the grid of its segmentation. Voxels beyond that grid are left out.

    Raises:
        SceneError: there is no such segment, or the segmentation has no grid of voxels.
    """
    grid = segmentationGrid(segmentationNode)
    segment = segmentOf(segmentationNode, segmentId)
    layer = segment.GetRepresentation(LABELMAP)
    if layer is None or layer.GetPointData().GetScalars() is None or not layer.GetNumberOfPoints():
        return EMPTY
    # Read where it is: Slicer's own way copies the layer, which may be as large as the volume.
    here = grids.voxels_with(segment.GetLabelValue(), grids.voxels_of(layer))
    return moved(here, leadingTo(layer, grid), grid.shapeIjk)


def segmentOf(segmentationNode: Any, segmentId: str) -> Any:
    """A segment.

    Raises:
        SceneError: there is no such segment.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId) if segmentId else None
    if segment is None:
        raise SceneError(_("The segment is not in the segmentation any more. Select another one, or create one."))
    return segment


def leadingTo(image: Any, grid: Grid) -> Matrix:
    """(4, 4) from the voxels of an oriented image, counted from its first one, to those of a grid."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = grids.matrix_of(matrix)
    to_ras[:3, 3] = geometry.transform(to_ras, image.GetExtent()[::2])
    return inverse(grid.ijkToRas) @ to_ras
