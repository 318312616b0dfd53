"""Measurements of masks against brute force, on grids of any geometry."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from msam.errors import VolumeError
from msam.measurements import measure

ISOTROPIC = np.eye(4)


def grid(columns: list[list[float]]) -> np.ndarray:
    """A 4 × 4 matrix whose axes i, j, k step by the given columns in mm."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(columns).T
    affine[:3, 3] = (12.0, -40.0, 7.5)
    return affine


def turned(spacing: tuple[float, float, float], angle: float) -> np.ndarray:
    """An oblique grid: turned about the axis to the left, then stepped by the spacing."""
    c, s = np.cos(angle), np.sin(angle)
    return grid([[spacing[0], 0, 0], [0, c * spacing[1], s * spacing[1]], [0, -s * spacing[2], c * spacing[2]]])


def brute_force_diameter(points: np.ndarray, affine: np.ndarray) -> float:
    positions = points @ affine[:3, :3].T
    return max((float(np.linalg.norm(a - b)) for a, b in itertools.combinations(positions, 2)), default=0.0)


def points_of(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask)[:, ::-1]


masks = hnp.arrays(bool, st.tuples(*[st.integers(1, 6)] * 3), elements=st.booleans())
geometries = st.builds(turned, st.tuples(*[st.floats(0.3, 5.0)] * 3), st.floats(-0.7, 0.7))


@settings(max_examples=150, deadline=None)
@given(masks, geometries)
def test_the_longest_diameter_is_that_of_all_pairs_of_voxels(mask: np.ndarray, affine: np.ndarray) -> None:
    assert measure(mask, affine).longest_diameter_mm == pytest.approx(brute_force_diameter(points_of(mask), affine))


@settings(max_examples=100, deadline=None)
@given(masks, geometries)
def test_the_axial_diameter_is_the_longest_within_one_slice(mask: np.ndarray, affine: np.ndarray) -> None:
    per_slice = [brute_force_diameter(points_of(mask[k : k + 1]), affine) for k in range(len(mask))]
    assert measure(mask, affine).axial_diameter_mm == pytest.approx(max(per_slice))


@settings(max_examples=60, deadline=None)
@given(masks, geometries)
def test_the_ends_are_voxels_of_the_mask_as_far_apart_as_stated(mask: np.ndarray, affine: np.ndarray) -> None:
    found = measure(mask, affine)
    for ends, diameter in (
        (found.longest_diameter_ends, found.longest_diameter_mm),
        (found.axial_diameter_ends, found.axial_diameter_mm),
    ):
        if ends is None:
            assert not mask.any()
            continue
        assert all(mask[k, j, i] for i, j, k in ends)
        assert np.linalg.norm(affine[:3, :3] @ np.subtract(*ends)) == pytest.approx(diameter)


@settings(max_examples=60, deadline=None)
@given(masks, geometries)
def test_the_perpendicular_is_never_longer_than_the_diameter(mask: np.ndarray, affine: np.ndarray) -> None:
    found = measure(mask, affine)
    assert 0 <= found.axial_perpendicular_mm <= found.axial_diameter_mm * (1 + 1e-9)


def brute_force_chord(points: np.ndarray, across: np.ndarray) -> float:
    """The longest line along a direction within the convex hull of points of a plane, (N, 2): all pairs of segments
    between two points, cut by the lines through every point."""
    u, v = points @ [-across[1], across[0]], points @ across
    longest = 0.0
    for place in u:
        heights = [v[index] for index in range(len(u)) if u[index] == pytest.approx(place, abs=1e-9)]
        for one, other in itertools.permutations(range(len(u)), 2):
            if u[one] < place - 1e-9 and u[other] > place + 1e-9:
                share = (place - u[one]) / (u[other] - u[one])
                heights.append(v[one] + share * (v[other] - v[one]))
        longest = max(longest, max(heights) - min(heights))
    return longest


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(bool, st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5)), elements=st.booleans()), geometries
)
def test_the_perpendicular_is_the_longest_line_across_the_diameter(mask: np.ndarray, affine: np.ndarray) -> None:
    found = measure(mask, affine)
    if found.axial_diameter_ends is None or found.axial_diameter_mm == 0:
        assert found.axial_perpendicular_mm == 0
        return
    basis = affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)  # the slice's own axes are at right angles
    positions = points_of(mask) @ affine[:3, :3].T @ basis
    diameter = np.subtract(*found.axial_diameter_ends) @ affine[:3, :3].T @ basis / found.axial_diameter_mm
    expected = brute_force_chord(positions, np.array([-diameter[1], diameter[0]]))
    assert found.axial_perpendicular_mm == pytest.approx(expected, abs=1e-6)


def test_an_upright_box_has_the_diameters_of_geometry() -> None:
    mask = np.zeros((10, 20, 30), bool)
    mask[2:6, 3:9, 5:25] = True
    found = measure(mask, np.diag([0.5, 2.0, 3.0, 1.0]))
    width, depth, height = 19 * 0.5, 5 * 2.0, 3 * 3.0
    assert found.voxels == 4 * 6 * 20
    assert found.volume_ml == pytest.approx(4 * 6 * 20 * 3.0 / 1000)
    assert found.longest_diameter_mm == pytest.approx(np.sqrt(width**2 + depth**2 + height**2))
    assert found.axial_diameter_mm == pytest.approx(np.hypot(width, depth))
    # From one long side to the other, in the middle: the extent of the whole box across its diagonal would be more.
    assert found.axial_perpendicular_mm == pytest.approx(width * np.hypot(width, depth) / depth)


def test_an_ellipse_gives_its_two_axes_in_the_widest_slice() -> None:
    k, j, i = np.ogrid[:21, :81, :81]
    mask = ((i - 40) / 35) ** 2 + ((j - 40) / 18) ** 2 + ((k - 10) / 8) ** 2 <= 1
    found = measure(mask, ISOTROPIC)
    assert (found.axial_diameter_mm, found.axial_perpendicular_mm) == (70, 36)
    assert found.axial_diameter_ends is not None
    assert {end[2] for end in found.axial_diameter_ends} == {10}


def test_axial_slices_are_found_when_the_scan_was_stored_sagittally() -> None:
    sagittal = grid([[0, -1, 0], [0, 0, 1], [3, 0, 0]])
    mask = np.zeros((5, 30, 40), bool)
    mask[2, 3:28, 10] = True
    mask[1:4, 9, 5:12] = True
    found = measure(mask, sagittal)
    assert found.longest_diameter_mm == pytest.approx(24)
    assert found.axial_diameter_mm == pytest.approx(np.hypot(6, 6))


def test_a_single_voxel_measures_nothing_but_its_volume() -> None:
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 2, 0] = True
    found = measure(mask, np.diag([2.0, 2.0, 2.5, 1.0]))
    assert found.volume_ml == pytest.approx(0.01)
    assert (found.longest_diameter_mm, found.axial_diameter_mm, found.axial_perpendicular_mm) == (0, 0, 0)
    assert found.longest_diameter_ends == ((0, 2, 1), (0, 2, 1))


def test_an_empty_mask_measures_zero() -> None:
    found = measure(np.zeros((4, 4, 4), np.uint8), ISOTROPIC)
    assert (found.voxels, found.volume_ml, found.longest_diameter_mm) == (0, 0, 0)
    assert found.longest_diameter_ends is None


def test_a_left_handed_grid_has_a_positive_volume() -> None:
    assert measure(np.ones((2, 2, 2), bool), np.diag([-1.0, 1.0, 1.0, 1.0])).volume_ml == pytest.approx(0.008)


def test_a_large_ball_is_measured_within_seconds() -> None:
    k, j, i = np.ogrid[:201, :201, :201]
    ball = (i - 100) ** 2 + (j - 100) ** 2 + (k - 100) ** 2 <= 100**2
    start = time.perf_counter()
    assert measure(ball, turned((1.0, 1.0, 1.0), 0.3)).longest_diameter_mm == pytest.approx(200)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("mask", "affine", "words"),
    [
        (np.ones((2, 2), bool), ISOTROPIC, "three dimensions"),
        (np.ones((2, 2, 2), bool), np.diag([1.0, 0.0, 1.0, 1.0]), "no distance"),
        (np.ones((2, 2, 2), bool), np.full((4, 4), np.nan), "not finite"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(mask: np.ndarray, affine: np.ndarray, words: str) -> None:
    with pytest.raises(VolumeError, match=words):
        measure(mask, affine)
