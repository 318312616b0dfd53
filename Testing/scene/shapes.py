"""Geometries and masks for tests, and what becomes of masks on another grid, worked out the plain way."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import slicer
import vtk

from msam.protocol.masks import Mask, cropped

Matrix = npt.NDArray[np.float64]


def rotation(degrees: tuple[float, float, float]) -> Matrix:
    """(3, 3), about the three axes in turn."""
    out = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        turn = np.eye(3)
        first, second = (other for other in range(3) if other != axis)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        out = turn @ out
    return out


def affine(
    spacing: tuple[float, float, float],
    degrees: tuple[float, float, float] = (0, 0, 0),
    origin: tuple[float, float, float] = (0, 0, 0),
    flip: bool = False,
) -> Matrix:
    """(4, 4) of a volume; a flipped one is left-handed."""
    out = np.eye(4)
    out[:3, :3] = rotation(degrees) @ np.diag(spacing) @ np.diag((-1 if flip else 1, 1, 1))
    out[:3, 3] = origin
    return out


ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)
ORIGINS = st.tuples(*[st.floats(-300, 300)] * 3)


def spacings(low: float, high: float) -> st.SearchStrategy[tuple[float, float, float]]:
    """Three distances in mm."""
    return st.tuples(*[st.floats(low, high)] * 3)


def affines(low: float, high: float) -> st.SearchStrategy[Matrix]:
    """Geometries with voxels of such sizes in mm, any way round, some of them left-handed."""
    return st.builds(affine, spacings(low, high), ANGLES, ORIGINS, st.booleans())


AFFINES = affines(0.4, 5)


def set_transform(node: slicer.vtkMRMLTransformNode, matrix: npt.ArrayLike) -> None:
    """Gives a linear transform its matrix (4, 4), to the parent."""
    numbers = vtk.vtkMatrix4x4()
    numbers.DeepCopy(np.asarray(matrix, dtype=float).ravel())
    node.SetMatrixTransformToParent(numbers)


def ball(shape_ijk: tuple[int, int, int], centre: npt.ArrayLike, radius: float, ijk_to_ras: npt.ArrayLike) -> Mask:
    """The voxels within so many mm of a voxel."""
    k, j, i = np.indices(shape_ijk[::-1])
    away = np.stack([i, j, k], axis=-1) - np.asarray(centre)
    return cropped(np.linalg.norm(away @ np.asarray(ijk_to_ras)[:3, :3].T, axis=-1) <= radius)


def occupancy(mask_kji: npt.NDArray[np.bool_], places_ijk: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Linear interpolation of a mask at places (n, 3), nothing being beyond it."""
    padded = np.pad(mask_kji, 1).astype(float)
    at = np.clip(places_ijk, -1, np.array(mask_kji.shape[::-1])) + 1
    low = np.minimum(np.floor(at).astype(int), np.array(padded.shape[::-1]) - 2)
    part = at - low
    out = np.zeros(len(at))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=1)
        i, j, k = (low + corner).T
        out += weight * padded[k, j, i]
    return out


def centre_of(mask: Mask) -> npt.NDArray[np.float64]:
    """The middle of a mask, (i, j, k)."""
    k, j, i = np.nonzero(mask.voxels)
    return np.array([i.mean(), j.mean(), k.mean()]) + [start for start, _ in mask.box]
