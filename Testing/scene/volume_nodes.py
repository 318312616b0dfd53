"""Scans in a scene, made of arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk


def volume_from(
    scene: slicer.vtkMRMLScene,
    voxels: npt.NDArray[np.generic],
    ijk_to_ras: npt.ArrayLike | None = None,
    name: str = "Scan",
) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume node of an array [k, j, i], with a display node."""
    image = vtk.vtkImageData()
    image.SetDimensions(voxels.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(voxels).ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(image)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.eye(4).ravel() if ijk_to_ras is None else np.asarray(ijk_to_ras, dtype=float).ravel())
    node.SetIJKToRASMatrix(matrix)
    node.CreateDefaultDisplayNodes()
    return node
