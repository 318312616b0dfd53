"""The simulated user against exhaustive searches with SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from msam.errors import PromptError
from msam.evaluation.clicking import first_click, next_click
from msam.evaluation.deepest import deepest_voxel

Spacing = tuple[float, float, float]
EVERY_NEIGHBOUR = np.ones((3, 3, 3))
ISOTROPIC = (1.0, 1.0, 1.0)

masks = hnp.arrays(bool, st.tuples(*[st.integers(2, 7)] * 3), elements=st.booleans()).filter(np.any)
spacings = st.tuples(*[st.floats(0.5, 4.0)] * 3)
two_masks = st.tuples(*[st.integers(2, 7)] * 3).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(bool, shape, elements=st.booleans())] * 2)
)


def depths(mask: np.ndarray, spacing: Spacing) -> np.ndarray:
    """The distance in mm of each voxel to what is outside, beyond the scan included."""
    return ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing[::-1])[1:-1, 1:-1, 1:-1]


@given(masks, spacings)
def test_the_deepest_voxel_is_the_first_that_is_farthest_from_outside(mask: np.ndarray, spacing: Spacing) -> None:
    i, j, k = deepest_voxel(mask, spacing)
    depth = depths(mask, spacing)
    deepest = np.argwhere(depth >= depth.max() - 5e-5)
    assert (k, j, i) in {tuple(voxel) for voxel in deepest.tolist()}
    earlier = [voxel for voxel in deepest.tolist() if tuple(voxel) < (k, j, i)]
    assert all(depth[tuple(voxel)] < depth.max() + 1e-4 for voxel in earlier)
    if np.ptp(depth[depth >= depth.max() - 3e-4]) == 0:
        assert not earlier


def test_of_equally_deep_voxels_the_lowest_is_clicked() -> None:
    mask = np.zeros((9, 9, 20), bool)
    for start in (1, 8, 14):
        mask[2:7, 2:7, start : start + 5] = True
    assert deepest_voxel(mask, (0.7, 1.1, 3.3)) == (3, 3, 2)
    assert deepest_voxel(mask[:, :, ::-1], (0.7, 1.1, 3.3)) == (3, 3, 2)


def test_depth_is_counted_in_mm() -> None:
    mask = np.zeros((7, 9, 9), bool)
    mask[1:6, 1:8, 1:4] = True  # 3 voxels wide along i, 7 along j, 5 along k
    assert deepest_voxel(mask, ISOTROPIC)[0] == 2
    assert deepest_voxel(mask, (10.0, 1.0, 1.0))[1:] == (3, 3)


def test_beyond_the_scan_is_outside() -> None:
    assert deepest_voxel(np.ones((5, 7, 9), bool), ISOTROPIC) == (2, 2, 2)


def test_an_empty_mask_has_no_deepest_voxel() -> None:
    with pytest.raises(PromptError):
        deepest_voxel(np.zeros((3, 3, 3), bool), ISOTROPIC)


@given(masks, spacings)
def test_the_first_click_is_positive_and_inside(truth: np.ndarray, spacing: Spacing) -> None:
    click = first_click(truth, spacing)
    assert click.positive
    assert click.frame == "ijk"
    assert truth[click.position[::-1]]


@given(two_masks, spacings)
def test_the_next_click_is_the_deepest_point_of_the_largest_error(
    both: tuple[np.ndarray, np.ndarray], spacing: Spacing
) -> None:
    mask, truth = both
    click = next_click(mask, truth, spacing)
    if np.array_equal(mask, truth):
        assert click is None
        return
    assert click is not None
    errors = {True: truth & ~mask, False: mask & ~truth}
    regions = []
    for positive, error in errors.items():
        parts, count = ndimage.label(error, structure=EVERY_NEIGHBOUR)
        regions += [(positive, parts == number) for number in range(1, count + 1)]
    largest = max(np.count_nonzero(region) for _, region in regions)
    voxel = tuple(int(index) for index in click.position[::-1])
    hit = [region for positive, region in regions if positive == click.positive and region[voxel]]
    assert len(hit) == 1, "the click is in an error region of its own sign"
    assert np.count_nonzero(hit[0]) == largest
    assert depths(hit[0], spacing)[voxel] == pytest.approx(depths(hit[0], spacing).max(), abs=2e-4)
    if any(positive and np.count_nonzero(region) == largest for positive, region in regions):
        assert click.positive, "what was missed goes first"


def test_errors_that_touch_at_a_corner_are_one_region() -> None:
    truth = np.zeros((8, 8, 8), bool)
    truth[:2, :2, :2] = truth[2:4, 2:4, 2:4] = True
    truth[6:8, 6:8, 4:7] = True  # 12 voxels, against 8 and 8 that touch
    click = next_click(np.zeros_like(truth), truth, ISOTROPIC)
    assert click is not None
    assert max(click.position) < 4


def test_missed_and_left_over_voxels_side_by_side_are_two_regions() -> None:
    truth, mask = np.zeros((3, 3, 10), bool), np.zeros((3, 3, 10), bool)
    truth[:, :, 2:5], mask[:, :, 5:9] = True, True
    click = next_click(mask, truth, ISOTROPIC)
    assert click is not None
    assert not click.positive
    assert click.position == (6, 1, 1)


def test_of_regions_alike_the_lowest_is_clicked() -> None:
    truth = np.zeros((3, 3, 12), bool)
    truth[:, :, 1:4] = truth[:, :, 8:11] = True
    click = next_click(np.zeros_like(truth), truth, ISOTROPIC)
    assert click is not None
    assert click.position == (2, 1, 1)
