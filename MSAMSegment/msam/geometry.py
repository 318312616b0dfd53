"""Where voxels lie in the world: affine matrices, RAS and LPS, and the anatomical order of a volume's axes."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

# RAS and LPS differ in the sign of their first two axes, so the same matrix leads both ways.
RAS_FROM_LPS: Matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
RAS_FROM_LPS.setflags(write=False)

# Volume of the cell spanned by the unit axes (1: orthogonal). Below this the axes lie in one plane.
SMALLEST_UNIT_CELL = 1e-4


class Orientation(NamedTuple):
    """Which volume axis runs nearest to R, A and S, and whether it runs that way (1) or against it (-1)."""

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]


def axis_lengths(ijk_to_ras: Matrix) -> Matrix:
    """Distance in mm between neighbouring voxels along i, j and k, shape (3,)."""
    return np.asarray(np.linalg.norm(ijk_to_ras[:3, :3], axis=0))


def anatomical_orientation(ijk_to_ras: Matrix) -> Orientation:
    """The flips and permutation that bring the axes of a volume as near to R, A, S as they can.

    Args:
        ijk_to_ras: (4, 4), not singular; may be oblique, left-handed or sheared.

    Returns:
        For R, A and S in that order, the volume axis (0 for i, 1 for j, 2 for k) and its sign.
    """
    left, _, right = np.linalg.svd(ijk_to_ras[:3, :3] / axis_lengths(ijk_to_ras))
    # The nearest matrix of orthogonal axes: a sheared volume gets the order of the axes it was sheared from.
    cosines = left @ right
    first, second, third = max(
        itertools.permutations(range(3)),
        key=lambda order: sum(abs(cosines[world, axis]) for world, axis in enumerate(order)),
    )
    signs = [1 if cosines[world, axis] > 0 else -1 for world, axis in enumerate((first, second, third))]
    return Orientation((first, second, third), (signs[0], signs[1], signs[2]))


def transform(matrix: Matrix, points: npt.ArrayLike) -> Matrix:
    """Points (..., 3) moved by a (4, 4) affine matrix."""
    return np.asarray(np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3])


def why_unusable(ijk_to_ras: Matrix) -> str | None:
    """What keeps a matrix from placing voxels in the world, as the end of a sentence; None when it is sound."""
    if ijk_to_ras.shape != (4, 4):
        return f"its matrix has the shape {ijk_to_ras.shape} instead of (4, 4)"
    if not np.isfinite(ijk_to_ras).all():
        return "its matrix holds values that are not finite numbers"
    if not np.allclose(ijk_to_ras[3], (0.0, 0.0, 0.0, 1.0)):
        return "the last row of its matrix is not 0 0 0 1"
    with np.errstate(over="ignore"):
        lengths = axis_lengths(ijk_to_ras)
    if not np.isfinite(lengths).all():
        return "neighbouring voxels are farther apart than can be computed with"
    if not (lengths > 0).all():
        return "neighbouring voxels have no distance along one of its axes"
    if abs(np.linalg.det(ijk_to_ras[:3, :3] / lengths)) < SMALLEST_UNIT_CELL:
        return "its three axes lie in one plane, so its matrix is singular"
    return None
