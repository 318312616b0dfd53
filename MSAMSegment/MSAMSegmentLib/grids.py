"""Grids of voxels, and how masks get from one grid to another.

Masks are counted from the first voxel of their grid, whatever extent VTK gives it. Matrices are (4, 4) and lead from
voxels (i, j, k) to mm.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from msam import geometry
from msam.protocol.masks import EMPTY, Box, Mask, cropped

Matrix = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Triple = tuple[int, int, int]

# Voxels. Two grids whose voxels lie this close together are one: files round their geometry.
SAME_PLACE = 1e-3
# An occupancy of one half counts as inside, also when it was interpolated a rounding error below.
HALF = 0.5 - 1e-6


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels.

    Attributes:
        ijkToRas: (4, 4) from the voxels (i, j, k), counted from the first one, to the coordinates of the node that
            has the grid, in mm; parent transforms are not in it.
        shapeIjk: voxels along i, j, k.
        firstIjk: what VTK calls the first voxel in the extents of this grid.
    """

    ijkToRas: Matrix
    shapeIjk: Triple
    firstIjk: Triple = (0, 0, 0)

    def extent(self, box: Box) -> tuple[int, int, int, int, int, int]:
        """The extent that VTK gives to a box of this grid."""
        (i0, i1), (j0, j1), (k0, k1) = box
        i, j, k = self.firstIjk
        return i + i0, i + i1 - 1, j + j0, j + j1 - 1, k + k0, k + k1 - 1


def matrix_of(matrix: vtk.vtkMatrix4x4) -> Matrix:
    """The numbers of a VTK matrix, (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def vtk_matrix(matrix: npt.ArrayLike) -> vtk.vtkMatrix4x4:
    """A VTK matrix of these numbers."""
    out = vtk.vtkMatrix4x4()
    out.DeepCopy(np.asarray(matrix, dtype=np.float64).ravel())
    return out


def inverse(matrix: Matrix) -> Matrix:
    """The matrix (4, 4) that leads back."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def oriented_image(voxels_kji: npt.NDArray[np.uint8], grid: Grid, box: Box) -> Any:
    """The box of a grid as Slicer's kind of image, with the geometry of the grid."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*grid.extent(box))
    image.GetPointData().SetScalars(numpy_to_vtk(voxels_kji.ravel(), deep=True))
    matrix = grid.ijkToRas.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ grid.firstIjk
    image.SetGeometryFromImageToWorldMatrix(vtk_matrix(matrix))
    return image


def voxels_of(image: vtk.vtkImageData) -> npt.NDArray[Any]:
    """The scalars of an image, [k, j, i], a view."""
    return np.asarray(vtk_to_numpy(image.GetPointData().GetScalars())).reshape(image.GetDimensions()[::-1])


def whole_step(matrix: Matrix, shapeIjk: Triple) -> Triple | None:
    """By how many voxels a matrix from one grid to another shifts, when that is all it does to a grid of this shape."""
    step = np.rint(matrix[:3, 3])
    corners = np.array(list(itertools.product(*((0, length) for length in shapeIjk))))
    if np.abs(geometry.transform(matrix, corners) - corners - step).max() > SAME_PLACE:
        return None
    i, j, k = (int(value) for value in step)
    return i, j, k


def shifted(mask: Mask, step: Triple, shapeIjk: Triple) -> Mask:
    """A mask that is so many voxels further in a grid of this shape, clipped to it and cropped."""
    spans = [(start + by, stop + by) for (start, stop), by in zip(mask.box, step, strict=True)]
    inside = [(max(start, 0), min(stop, length)) for (start, stop), length in zip(spans, shapeIjk, strict=True)]
    if any(start >= stop for start, stop in inside):
        return EMPTY
    k, j, i = (
        slice(start - first, stop - first)
        for (start, stop), (first, _) in zip(reversed(inside), reversed(spans), strict=True)
    )
    return cropped_at(mask.voxels[k, j, i], (inside[0][0], inside[1][0], inside[2][0]))


def cropped_at(voxels_kji: Bools, firstIjk: Triple) -> Mask:
    """The mask of an array whose first voxel is that of the grid."""
    mask = cropped(voxels_kji)
    if not mask.voxels.size:
        return EMPTY
    i, j, k = ((start + first, stop + first) for (start, stop), first in zip(mask.box, firstIjk, strict=True))
    return Mask((i, j, k), mask.voxels)


def voxels_with(value: int, voxels_kji: npt.NDArray[Any]) -> Mask:
    """The voxels of an array [k, j, i] that have a value, counted from its first one and cropped.

    Plane by plane, which the cache of a processor holds: a third of the time that it takes to look at all at once.
    """
    planes, rows, columns = [], np.zeros(voxels_kji.shape[1], np.bool_), np.zeros(voxels_kji.shape[2], np.bool_)
    for number, plane in enumerate(voxels_kji):
        found = plane == value
        if found.any():
            planes.append(number)
            rows |= found.any(axis=1)
            columns |= found.any(axis=0)
    if not planes:
        return EMPTY
    k, j, i = ((int(at[0]), int(at[-1]) + 1) for at in (planes, np.flatnonzero(rows), np.flatnonzero(columns)))
    return Mask((i, j, k), voxels_kji[slice(*k), slice(*j), slice(*i)] == value)


def moved(mask: Mask, matrix: Matrix, shapeIjk: Triple) -> Mask:
    """A mask on another grid: the voxels of that grid in which at least half is set, interpolated linearly.

    Args:
        mask: on the grid it comes from.
        matrix: (4, 4) from the voxels of that grid to those of the other one.
        shapeIjk: of the other grid; what lies beyond is clipped.
    """
    if not mask.voxels.size:
        return EMPTY
    reach: Triple = tuple(stop for _, stop in mask.box)  # type: ignore[assignment]
    step = whole_step(matrix, reach)
    if step is not None:
        return shifted(mask, step, shapeIjk)
    target = _reach(mask.box, matrix, shapeIjk)
    if any(start >= stop for start, stop in target):
        return EMPTY
    # A rim of zeros, so that the interpolation falls off to nothing outside.
    first = tuple(start - 1 for start, _ in mask.box)
    image = _image(np.pad(mask.voxels, 1).astype(np.float32), first)
    occupancy = resampled(image, inverse(matrix), target, outside=0.0)
    return cropped_at(occupancy >= HALF, (target[0][0], target[1][0], target[2][0]))


def resampled(image: vtk.vtkImageData, matrix: Matrix, box: Box, outside: float) -> Floats:
    """Linear interpolation of an image in voxels (its spacing is 1) at the voxels of a box of another grid.

    Args:
        image: any scalars.
        matrix: (4, 4) from the voxels of the box's grid to those of the image.
        box: not empty.
        outside: what to put where the image does not reach.

    Returns:
        (K', J', I') float64.
    """
    transform = vtk.vtkMatrixToLinearTransform()
    transform.SetInput(vtk_matrix(matrix))
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image)
    reslice.SetResliceTransform(transform)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputExtent(*Grid(np.eye(4), (0, 0, 0)).extent(box))
    reslice.SetInterpolationModeToLinear()
    reslice.SetOutputScalarType(vtk.VTK_DOUBLE)
    reslice.SetBackgroundLevel(outside)
    reslice.Update()
    return voxels_of(reslice.GetOutput()).copy()


def _image(voxels_kji: npt.NDArray[np.float32], firstIjk: tuple[int, ...]) -> vtk.vtkImageData:
    """An image in voxels of the grid that the array is a part of."""
    image = vtk.vtkImageData()
    image.SetDimensions(voxels_kji.shape[::-1])
    image.SetOrigin(firstIjk)
    image.GetPointData().SetScalars(numpy_to_vtk(voxels_kji.ravel(), deep=True))
    return image


def _reach(box: Box, matrix: Matrix, shapeIjk: Triple) -> Box:
    """The box of the other grid in which a mask can leave anything."""
    corners = np.array(list(itertools.product(*((start - 1, stop) for start, stop in box))), dtype=np.float64)
    there = geometry.transform(matrix, corners)
    low, high = np.floor(there.min(axis=0)), np.ceil(there.max(axis=0)) + 1
    i, j, k = (
        (int(np.clip(start, 0, length)), int(np.clip(stop, 0, length)))
        for start, stop, length in zip(low, high, shapeIjk, strict=True)
    )
    return i, j, k
