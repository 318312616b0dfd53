"""Voxels of segments as other modules put them there and read them: with Slicer's functions, none of the project's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

Bools = npt.NDArray[np.bool_]


def put(segmentationNode: Any, segmentId: str, voxels: Bools, volumeNode: Any) -> None:
    """Replaces a segment by voxels [k, j, i] of a volume."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(voxels.shape[::-1])
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = voxels.ravel()
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    kind = slicer.vtkSlicerSegmentationsModuleLogic
    assert kind.SetBinaryLabelmapToSegment(image, segmentationNode, segmentId, kind.MODE_REPLACE)


def taken(segmentationNode: Any, segmentId: str, shapeIjk: tuple[int, int, int]) -> Bools:
    """The voxels [k, j, i] of a segment, whose grid has this shape."""
    out = np.zeros(shapeIjk[::-1], bool)
    image = slicer.vtkOrientedImageData()
    segmentationNode.GetBinaryLabelmapRepresentation(segmentId, image)
    if image.GetPointData().GetScalars() is None:
        return out
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    out[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] = values > 0
    return out
