"""Scores of masks against SimpleITK, brute force over all pairs of voxels, and balls whose scores can be worked out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from msam.evaluation.metrics import TOLERANCE_MM, Scores, score, surface, surface_distances
from msam.evaluation.overlap import dice

Spacing = tuple[float, float, float]

shapes = st.tuples(*[st.integers(2, 6)] * 3)
spacings = st.tuples(*[st.floats(0.5, 4.0)] * 3)
two_masks = shapes.flatmap(
    lambda shape: st.tuples(*[hnp.arrays(bool, shape, elements=st.booleans()).filter(np.any)] * 2)
)


def surface_by_brute_force(mask: np.ndarray) -> list[tuple[int, ...]]:
    """Voxels (k, j, i) of a mask with one of six neighbours that is not in it."""

    def outside(voxel: tuple[int, ...]) -> bool:
        return any(not 0 <= x < n for x, n in zip(voxel, mask.shape, strict=True)) or not mask[voxel]

    steps = [tuple(sign * (axis == other) for other in range(3)) for axis in range(3) for sign in (-1, 1)]
    return [
        tuple(voxel)
        for voxel in np.argwhere(mask).tolist()
        if any(outside(tuple(np.add(voxel, step).tolist())) for step in steps)
    ]


def distances_by_brute_force(mask: np.ndarray, truth: np.ndarray, spacing: Spacing) -> tuple[list[float], list[float]]:
    mm = np.array(spacing[::-1])
    one, other = (np.array(surface_by_brute_force(array)) * mm for array in (mask, truth))
    pairs = np.linalg.norm(one[:, None] - other[None], axis=-1)
    return pairs.min(axis=1).tolist(), pairs.min(axis=0).tolist()


def as_image(mask: np.ndarray, spacing: Spacing) -> sitk.Image:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing)
    return image


def ball(
    radius: float, *, spacing: Spacing = (1.0, 1.0, 1.0), centre: tuple[float, ...] = (0.0, 0.0, 0.0)
) -> np.ndarray:
    along = [np.arange(-36, 37) * step - middle for step, middle in zip(spacing, centre, strict=True)]
    return along[2][:, None, None] ** 2 + along[1][:, None] ** 2 + along[0] ** 2 <= radius**2


@given(two_masks, spacings)
def test_surface_distances_are_those_of_all_pairs(masks: tuple[np.ndarray, np.ndarray], spacing: Spacing) -> None:
    found = surface_distances(*masks, spacing)
    for distances, expected in zip(found, distances_by_brute_force(*masks, spacing), strict=True):
        assert sorted(distances) == pytest.approx(sorted(expected), rel=1e-5, abs=1e-6)


@given(two_masks, spacings)
def test_surface_scores_follow_from_all_pairs(masks: tuple[np.ndarray, np.ndarray], spacing: Spacing) -> None:
    one, other = distances_by_brute_force(*masks, spacing)
    found = score(*masks, spacing)
    within = [distance <= TOLERANCE_MM + 1e-4 for distance in one + other]
    assert found.nsd_2mm == pytest.approx(sum(within) / len(within))
    assert found.hd95_mm == pytest.approx(max(np.percentile(one, 95), np.percentile(other, 95)), rel=1e-5, abs=1e-6)


@given(two_masks, spacings)
def test_overlap_and_volume_agree_with_simpleitk(masks: tuple[np.ndarray, np.ndarray], spacing: Spacing) -> None:
    mask, truth = masks
    measured = sitk.LabelOverlapMeasuresImageFilter()
    measured.Execute(as_image(mask, spacing), as_image(truth, spacing))
    found = score(mask, truth, spacing)
    assert found.dice == dice(mask, truth) == pytest.approx(measured.GetDiceCoefficient())
    volume, true_volume = (np.count_nonzero(array) * np.prod(spacing) for array in masks)
    assert found.volume_error == pytest.approx(abs(volume - true_volume) / true_volume)


@settings(max_examples=15)
@given(st.floats(3, 12), st.floats(3, 12), spacings)
def test_the_largest_distance_of_separate_balls_agrees_with_simpleitk(a: float, b: float, spacing: Spacing) -> None:
    one, other = ball(a, centre=(-15, 0, 0)), ball(b, centre=(15, 4, -5))
    measured = sitk.HausdorffDistanceImageFilter()
    measured.Execute(as_image(one, spacing), as_image(other, spacing))
    found = surface_distances(one, other, spacing)
    assert max(distances.max() for distances in found) == pytest.approx(measured.GetHausdorffDistance(), rel=1e-4)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.0, 2.5)])
def test_a_ball_too_large_by_a_few_mm_scores_as_geometry_has_it(spacing: Spacing) -> None:
    truth = ball(20, spacing=spacing)
    for margin, share in ((0.5, 1.0), (7.0, 0.0)):
        found = score(ball(20 + margin, spacing=spacing), truth, spacing)
        assert found.dice == pytest.approx(2 * 20**3 / ((20 + margin) ** 3 + 20**3), abs=0.02)
        assert found.volume_error == pytest.approx((1 + margin / 20) ** 3 - 1, rel=0.08)
        assert found.hd95_mm == pytest.approx(margin, abs=max(spacing))
        assert found.nsd_2mm == pytest.approx(share, abs=0.04)


def test_scores_are_those_of_monai() -> None:
    """Figures of MONAI 1.6.1 for the same two masks: two ellipsoids and a piece beside them, cut off at a side."""
    k, j, i = np.indices((20, 36, 40))

    def ellipsoid(centre: tuple[int, int, int], radii: tuple[int, int, int]) -> np.ndarray:
        return sum(((x - c) / r) ** 2 for x, c, r in zip((k, j, i), centre, radii, strict=True)) <= 1

    truth = ellipsoid((9, 18, 19), (6, 11, 13))
    mask = (ellipsoid((10, 16, 21), (5, 12, 12)) | ellipsoid((4, 28, 8), (2, 3, 3))) & (i < 30)
    found = score(mask, truth, (0.9, 1.3, 2.5))
    assert found.dice == pytest.approx(0.7468687, abs=1e-6)
    assert found.nsd_2mm == pytest.approx(0.5020202, abs=1e-6)
    assert found.hd95_mm == pytest.approx(5.1478152, abs=1e-5)


def test_distances_between_slices_count_their_thickness() -> None:
    truth = np.zeros((8, 5, 5), bool)
    truth[2, 1:4, 1:4] = True
    moved = np.roll(truth, 3, axis=0)
    assert score(moved, truth, (1.0, 1.0, 3.27)).hd95_mm == pytest.approx(3 * 3.27)
    assert score(moved, truth, (1.0, 1.0, 0.5)).nsd_2mm == 1


def test_a_distance_of_exactly_the_tolerance_is_within_it() -> None:
    truth = np.zeros((3, 3, 25), bool)
    truth[1, 1, 2] = True
    for spacing in (1.0, 0.4, 0.1):
        steps = round(TOLERANCE_MM / spacing)
        assert score(np.roll(truth, steps, axis=2), truth, (spacing, 1, 1)).nsd_2mm == 1
        assert score(np.roll(truth, steps + 1, axis=2), truth, (spacing, 1, 1)).nsd_2mm == 0


def test_a_mask_at_the_border_of_the_scan_has_its_surface_there() -> None:
    everything = np.ones((3, 4, 5), bool)
    assert np.count_nonzero(surface(everything)) == 3 * 4 * 5 - 1 * 2 * 3


def test_empty_masks_have_defined_scores() -> None:
    nothing, something = np.zeros((4, 5, 6), bool), np.zeros((4, 5, 6), bool)
    something[1:3, 2:4, 2:5] = True
    diagonal = float(np.linalg.norm((6 * 1.0, 5 * 2.0, 4 * 3.0)))
    assert score(nothing, nothing, (1, 2, 3)) == Scores(1, 1, 0, 0)
    assert score(nothing, something, (1, 2, 3)) == Scores(0, 0, diagonal, 1)
    assert score(something, nothing, (1, 2, 3)) == Scores(0, 0, diagonal, 1)


def test_a_mask_is_perfect_only_where_it_is_the_truth() -> None:
    truth = ball(9)
    assert score(truth, truth, (1, 1, 1)) == Scores(1, 1, 0, 0)
    for axis, step in itertools.product(range(3), (-1, 1)):
        assert score(np.roll(truth, step, axis), truth, (1, 1, 1)).dice < 1
