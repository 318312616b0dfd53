"""Geometries of scans for tests: the ones that trouble software, by name, and random ones for hypothesis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Matrix = npt.NDArray[np.float64]


def rotation(x: float, y: float, z: float) -> Matrix:
    """Turns about the three axes, in radians, one after the other."""
    turned = np.eye(3)
    for first, second, angle in ((1, 2, x), (0, 2, y), (0, 1, z)):
        plane = np.eye(3)
        plane[[first, second], [first, second]] = np.cos(angle)
        plane[first, second], plane[second, first] = -np.sin(angle), np.sin(angle)
        turned = turned @ plane
    return turned


def ijk_to_ras(axes: Matrix, spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> Matrix:
    """The matrix of a volume whose axes i, j, k have these directions (columns), spacings and origin."""
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = origin
    return matrix


SPACING, ORIGIN = (0.75, 1.25, 3.5), (-12.5, 40.25, 7.125)
GEOMETRIES = {
    "ras": ijk_to_ras(np.eye(3), SPACING, ORIGIN),
    "lps": ijk_to_ras(np.diag([-1.0, -1.0, 1.0]), SPACING, ORIGIN),
    "left_handed": ijk_to_ras(np.diag([-1.0, -1.0, -1.0]), SPACING, ORIGIN),
    "sagittal": ijk_to_ras(np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), SPACING, ORIGIN),
    "oblique": ijk_to_ras(rotation(0.3, -0.2, 0.4), SPACING, ORIGIN),
    "oblique_left_handed": ijk_to_ras(rotation(0.1, 0.3, -0.2) @ np.diag([1.0, -1.0, 1.0]), SPACING, ORIGIN),
}


@st.composite
def geometries(draw: st.DrawFn, *, finest: float = 0.4, coarsest: float = 4.0) -> Matrix:
    """Any right- or left-handed, permuted, oblique, anisotropic geometry."""
    angles = [draw(st.floats(-np.pi, np.pi)) for _ in range(3)]
    flips = np.diag([draw(st.sampled_from([-1.0, 1.0])) for _ in range(3)])
    spacing = [draw(st.floats(finest, coarsest)) for _ in range(3)]
    origin = [draw(st.floats(-200, 200)) for _ in range(3)]
    return ijk_to_ras(rotation(*angles) @ flips, tuple(spacing), tuple(origin))  # type: ignore[arg-type]
