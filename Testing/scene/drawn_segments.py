"""Segments for tests: made, drawn as other modules do it, and looked at voxel by voxel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from msam.protocol.masks import Box, cropped
from MSAMSegmentLib.grids import Grid, oriented_image
from MSAMSegmentLib.segments import ensureGeometry


def segmentation_on(volume: slicer.vtkMRMLScalarVolumeNode, segments: int = 1) -> slicer.vtkMRMLSegmentationNode:
    node = volume.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode")
    ensureGeometry(node, volume)
    for number in range(segments):
        node.GetSegmentation().AddEmptySegment(f"s{number}")
    return node


def put(
    node: slicer.vtkMRMLSegmentationNode, segment_id: str, grid: Grid, box: Box, voxels: npt.NDArray[np.bool_]
) -> None:
    """Writes the way other modules do."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    image = oriented_image(voxels.astype(np.uint8), grid, box)
    assert logic.SetBinaryLabelmapToSegment(image, node, segment_id, logic.MODE_REPLACE)


def stored(node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> tuple[object, ...]:
    """Every voxel that a segment has, as Slicer hands it out, and where it is; equal only for equal segments."""
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segment_id, image)
    scalars = image.GetPointData().GetScalars()
    if scalars is None or not image.GetNumberOfPoints():
        return ()
    mask = cropped(vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]))
    if not mask.voxels.size:
        return ()
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    first = [start + at for (start, _), at in zip(mask.box, image.GetExtent()[::2], strict=True)]
    numbers = [round(matrix.GetElement(row, column), 9) for row in range(4) for column in range(4)]
    return mask.voxels.tobytes(), mask.voxels.shape, first, numbers
