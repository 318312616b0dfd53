"""How large a mask is: its volume, its longest diameter in space, and the two diameters radiologists report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from msam.errors import VolumeError
from msam.geometry import anatomical_orientation, why_unusable

if TYPE_CHECKING:
    from msam.volume import Volume

Voxel = tuple[int, int, int]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Pairwise distances are worked out in blocks of at most this many, which takes some 100 MB.
PAIRS_AT_A_TIME = 4_000_000


@dataclass(frozen=True)
class Measurements:
    """The size of one mask.

    Diameters run from voxel centre to voxel centre and add nothing for the extent of the two end voxels, so that a
    single voxel measures 0 mm. The mask is taken as one object, separate parts included. Zeros and None where the
    mask is empty.

    Attributes:
        voxels: how many voxels the mask holds.
        volume_ml: their volume in mL (1 mL is 1000 mm³).
        longest_diameter_mm: the largest distance between two voxels of the mask, in any direction.
        longest_diameter_ends: those two voxels as (i, j, k).
        axial_diameter_mm: the largest distance between two voxels of one axial slice, as RECIST 1.1 has it (Eisenhauer
            et al. 2009). Where the scan is oblique, these are its own slices nearest to axial.
        axial_perpendicular_mm: the longest line at right angles to that diameter in that slice, from border to border
            of the mask's convex hull.
        axial_diameter_ends: the two voxels of the axial diameter as (i, j, k).
    """

    voxels: int
    volume_ml: float
    longest_diameter_mm: float
    longest_diameter_ends: tuple[Voxel, Voxel] | None
    axial_diameter_mm: float
    axial_perpendicular_mm: float
    axial_diameter_ends: tuple[Voxel, Voxel] | None

    def to_dict(self) -> dict[str, Any]:
        """The measurements as plain JSON values."""
        return asdict(self)


def measure(mask: npt.NDArray[Any], geometry: Volume | npt.NDArray[Any]) -> Measurements:
    """Measures a mask exactly.

    Args:
        mask: (K, J, I), nonzero inside.
        geometry: the volume that the mask belongs to, or its (4, 4) matrix from (i, j, k) to mm. Anisotropic, oblique
            and sheared grids are honoured.

    Raises:
        VolumeError: a mask that is not three-dimensional, does not fit the volume, or a matrix that spans no space.
    """
    affine = _affine_for(mask, geometry)
    matrix = affine[:3, :3]
    mask = mask != 0
    voxels = int(np.count_nonzero(mask))
    if not voxels:
        return Measurements(0, 0.0, 0.0, None, 0.0, 0.0, None)

    axial_axis = anatomical_orientation(affine).axes[2]
    candidates = _row_ends(mask, along=1 if axial_axis == 0 else 0)
    axial, perpendicular, axial_ends = _axial_diameters(candidates, axial_axis, matrix)
    for axis in (2, 1, 0):
        candidates = np.concatenate(_slice_hulls(candidates, axis))
    longest, ends = _farthest_pair(candidates, matrix)
    return Measurements(
        voxels=voxels,
        volume_ml=float(voxels * abs(np.linalg.det(matrix)) / 1000),
        longest_diameter_mm=longest,
        longest_diameter_ends=ends,
        axial_diameter_mm=axial,
        axial_perpendicular_mm=perpendicular,
        axial_diameter_ends=axial_ends,
    )


def _affine_for(mask: npt.NDArray[Any], geometry: Volume | npt.NDArray[Any]) -> Floats:
    """The matrix from voxels to mm, once mask and matrix are found fit."""
    if mask.ndim != 3:
        raise VolumeError(f"A mask to be measured has three dimensions (k, j, i); this one has {mask.ndim}.")
    if not isinstance(geometry, np.ndarray):
        if mask.shape != geometry.voxels.shape:
            raise VolumeError(
                f"The mask is {' × '.join(map(str, mask.shape[::-1]))} voxels large and the scan "
                f"{' × '.join(map(str, geometry.voxels.shape[::-1]))}; a mask is measured on the scan it was made for."
            )
        return geometry.ijk_to_ras
    affine = np.asarray(geometry, dtype=np.float64)
    complaint = why_unusable(affine)
    if complaint is not None:
        raise VolumeError(f"The mask cannot be measured: {complaint}.")
    return affine


def _row_ends(mask: npt.NDArray[np.bool_], along: int) -> Ints:
    """The first and the last voxel, as (i, j, k), of every row of the mask along axis i (0), j (1) or k (2)."""
    axis = 2 - along
    rows = np.argwhere(mask.any(axis=axis))
    first = mask.argmax(axis=axis)[tuple(rows.T)]
    last = mask.shape[axis] - 1 - np.flip(mask, axis).argmax(axis=axis)[tuple(rows.T)]
    ends = [np.insert(rows, axis, values, axis=1)[:, ::-1] for values in (first, last)]
    return np.concatenate(ends).astype(np.int64)


def _slice_hulls(points: Ints, axis: int) -> list[Ints]:
    """Per slice across `axis`, the corners of the convex hull of its points.

    A corner of the hull of all points is a corner within every slice it lies in, whatever the affine map. Doing this
    across the three axes in turn therefore keeps all ends that a longest diameter can have, and little else: of the
    4.2 million voxels of a ball 200 voxels wide, 8000 are left.
    """
    row_axis, along = (other for other in range(3) if other != axis)
    points = points[np.lexsort((points[:, along], points[:, row_axis], points[:, axis]))]
    same_row = (np.diff(points[:, axis]) == 0) & (np.diff(points[:, row_axis]) == 0)
    first = np.concatenate(([True], ~same_row))
    last = np.concatenate((~same_row, [True]))
    starts, stops = points[first], points[last]
    borders = np.flatnonzero(np.diff(starts[:, axis])) + 1

    hulls = []
    for low, high in zip(np.split(starts, borders), np.split(stops, borders), strict=True):
        rows = low[:, row_axis].tolist()
        lower = low[_outer_corners(rows, low[:, along].tolist())]
        upper = high[_outer_corners(rows, (-high[:, along]).tolist())]
        hulls.append(np.unique(np.concatenate((lower, upper)), axis=0))
    return hulls


def _outer_corners(rows: list[Any], values: list[Any]) -> list[int]:
    """Indices of the corners of the lower convex hull of points sorted by row, one per row (monotone chain)."""
    corners: list[int] = []
    for index, (row, value) in enumerate(zip(rows, values, strict=True)):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (rows[b] - rows[a]) * (value - values[a]) > (values[b] - values[a]) * (row - rows[a]):
                break
            corners.pop()
        corners.append(index)
    return corners


def _farthest_pair(points: Ints, matrix: Floats) -> tuple[float, tuple[Voxel, Voxel]]:
    """The largest distance in mm between two of the points, and these two."""
    positions = points @ matrix.T
    block = max(1, PAIRS_AT_A_TIME // len(points))
    largest, ends = -1.0, (0, 0)
    for start in range(0, len(points), block):
        steps = positions[start : start + block, None] - positions[None, start:]
        squares = np.einsum("abx,abx->ab", steps, steps)
        one, other = np.unravel_index(int(squares.argmax()), squares.shape)
        if squares[one, other] > largest:
            largest, ends = float(squares[one, other]), (start + int(one), start + int(other))
    return float(np.sqrt(largest)), (_voxel(points[ends[0]]), _voxel(points[ends[1]]))


def _axial_diameters(points: Ints, axis: int, matrix: Floats) -> tuple[float, float, tuple[Voxel, Voxel]]:
    """The longest diameter within one slice across `axis`, the chord across it, and the ends of the diameter."""
    hulls = _slice_hulls(points, axis)
    found = [_farthest_pair(hull, matrix) for hull in hulls]
    best = max(range(len(found)), key=lambda index: found[index][0])
    diameter, ends = found[best]
    return diameter, _chord_across(hulls[best] @ matrix.T, np.subtract(*ends) @ matrix.T), ends


def _chord_across(positions: Floats, direction: Floats) -> float:
    """The longest chord of the convex hull of points of one plane, at right angles to a direction in it, in mm."""
    length = float(np.linalg.norm(direction))
    if length == 0:
        return 0.0
    steps = positions - positions[0]
    along = steps @ direction / length
    across = steps - np.outer(along, direction) / length
    farthest = across[np.linalg.norm(across, axis=1).argmax()]
    reach = float(np.linalg.norm(farthest))
    if reach == 0:
        return 0.0
    heights = across @ farthest / reach
    order = np.argsort(along)
    # Rounded, so that points at one place along the diameter are known to be at one place.
    places, first = np.unique(np.round(along[order] / length, 9), return_index=True)
    low, high = (edge.reduceat(heights[order], first) for edge in (np.minimum, np.maximum))
    lower = _outer_corners(places.tolist(), low.tolist())
    upper = _outer_corners(places.tolist(), (-high).tolist())
    # Between two corners a convex polygon's section changes linearly, so the longest one passes through a corner.
    sections = np.interp(places, places[upper], high[upper]) - np.interp(places, places[lower], low[lower])
    return float(sections.max())


def _voxel(point: Ints) -> Voxel:
    i, j, k = (int(value) for value in point)
    return i, j, k
