"""Parent transforms of nodes, as matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import Matrix, matrix_of
from MSAMSegmentLib.translation import tr as _


def between(fromNode: Any, toNode: Any) -> Matrix:
    """(4, 4) from the coordinates of one node to those of another one, both in mm, by their parent transforms.

    Raises:
        SceneError: a transform between them is not linear.
    """
    source, target = fromNode.GetParentTransformNode(), toNode.GetParentTransformNode()
    if source is target:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if not slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(source, target, matrix):
        raise SceneError(
            _(
                "The segmentation and the input volume are under different transforms, and one of them is not linear. "
                "Put both under the same transform, or harden the transform (Data module)."
            )
        )
    return matrix_of(matrix)
