"""The grid of a segmentation: its reference geometry, on which all of its masks are kept."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import slicer
import vtk

from msam import geometry
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import Grid, Matrix, Triple, inverse, matrix_of, vtk_matrix
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.transforms import between
from MSAMSegmentLib.translation import tr as _

LABELMAP = "Binary labelmap"


def ensureGeometry(segmentationNode: Any, volumeNode: Any) -> None:
    """Gives a segmentation a grid, unless it has one.

    A segmentation without voxels gets the volume's grid, and one without segments its parent transform too. One that
    has voxels but no stated grid keeps the grid of its voxels, widened to where the volume is, so that none of them
    is resampled.

    Raises:
        VolumeError: the volume cannot be segmented.
        SceneError: the segmentation holds surfaces instead of voxels, or a transform is not linear.
    """
    checkSource(segmentationNode)
    if _stated(segmentationNode):
        return
    scan = Scan.of(volumeNode)
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetNumberOfSegments() == 0:
        segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    own = _grid(segmentation.DetermineCommonLabelmapGeometry(segmentation.EXTENT_UNION_OF_SEGMENTS, None))
    if own is None:
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        return
    from_volume = inverse(own.ijkToRas) @ between(volumeNode, segmentationNode) @ scan.ijkToRas
    _state(segmentationNode, _widened(own, from_volume, scan.shapeIjk))


def segmentationGrid(segmentationNode: Any) -> Grid:
    """The grid of a segmentation, in its own coordinates (parent transforms are not in it).

    Raises:
        SceneError: it has none yet (see `ensureGeometry`), or it holds surfaces instead of voxels.
    """
    checkSource(segmentationNode)
    grid = _grid(_stated(segmentationNode))
    if grid is None:
        raise SceneError(_("The segmentation has no grid of voxels yet. Choose the input volume it belongs to."))
    return grid


def checkSource(segmentationNode: Any) -> None:
    """Makes sure that a segmentation is there and made of voxels.

    Raises:
        SceneError: it is not.
    """
    segmentation = segmentationNode.GetSegmentation() if segmentationNode is not None else None
    if segmentation is None:
        raise SceneError(_("There is no segmentation. Create one, or choose one."))
    if (
        segmentation.GetSourceRepresentationName()
        != slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    ):
        raise SceneError(
            _(
                "The segmentation is made of surfaces instead of voxels. Make binary labelmap its source "
                "representation in the module Segmentations, or choose another segmentation."
            )
        )


def _stated(segmentationNode: Any) -> str:
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    return str(segmentationNode.GetSegmentation().GetConversionParameter(name))


def _state(segmentationNode: Any, grid: Grid) -> None:
    matrix = grid.ijkToRas.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ grid.firstIjk
    whole = ((0, grid.shapeIjk[0]), (0, grid.shapeIjk[1]), (0, grid.shapeIjk[2]))
    converter = slicer.vtkSegmentationConverter
    text = converter.SerializeImageGeometry(vtk_matrix(matrix), list(grid.extent(whole)))
    segmentationNode.GetSegmentation().SetConversionParameter(converter.GetReferenceImageGeometryParameterName(), text)


def _grid(text: str) -> Grid | None:
    """The grid that Slicer wrote down as text; None when there are no voxels in it."""
    matrix, extent = vtk.vtkMatrix4x4(), [0, -1, 0, -1, 0, -1]
    if not text or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, matrix, extent):
        return None
    first: Triple = (extent[0], extent[2], extent[4])
    i, j, k = (stop - start + 1 for start, stop in zip(extent[::2], extent[1::2], strict=True))
    ijk_to_ras = matrix_of(matrix)
    ijk_to_ras[:3, 3] = geometry.transform(ijk_to_ras, first)
    if min(i, j, k) < 1 or geometry.why_unusable(ijk_to_ras) is not None:
        return None
    return Grid(ijk_to_ras, (i, j, k), first)


def _widened(grid: Grid, matrix: Matrix, shapeIjk: Triple) -> Grid:
    """A grid that goes on until it also holds another one, from whose voxels a matrix (4, 4) leads to its own."""
    corners = np.array(list(itertools.product(*((0, length - 1) for length in shapeIjk))), dtype=np.float64)
    there = np.rint(geometry.transform(matrix, corners)).astype(int)
    low = np.minimum(there.min(axis=0), 0)
    high = np.maximum(there.max(axis=0) + 1, grid.shapeIjk)
    ijk_to_ras = grid.ijkToRas.copy()
    ijk_to_ras[:3, 3] = geometry.transform(grid.ijkToRas, low)
    i, j, k = (int(length) for length in high - low)
    first_i, first_j, first_k = (int(value) for value in low + grid.firstIjk)
    return Grid(ijk_to_ras, (i, j, k), (first_i, first_j, first_k))
