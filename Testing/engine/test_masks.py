"""Cropped masks and their differences, against whole arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from session_stand_ins import distances

from msam.region import Box
from msam.session.boxes import NO_BOX, shape_kji
from msam.session.masks import EMPTY, CroppedMask, Difference

Bools = npt.NDArray[np.bool_]
SHAPE_IJK = (5, 6, 7)
WHOLE: Box = ((0, 5), (0, 6), (0, 7))
sparse = st.sampled_from([0.0, 0.02, 0.3, 1.0])


@st.composite
def masks(draw: st.DrawFn) -> Bools:
    share = draw(sparse)
    return np.random.default_rng(draw(st.integers(0, 1000))).random(SHAPE_IJK[::-1]) < share


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    i, j, k = (tuple(sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in SHAPE_IJK)
    return i, j, k  # type: ignore[return-value]


@given(masks())
def test_a_cropped_mask_is_tight_and_loses_nothing(mask: Bools) -> None:
    cropped = CroppedMask.cropped(WHOLE, mask)

    assert np.array_equal(cropped.whole(SHAPE_IJK), mask)
    assert cropped.is_empty == (not mask.any())
    assert cropped.count == mask.sum()
    assert cropped.voxels.shape == shape_kji(cropped.box)
    if not cropped.is_empty:
        assert all(cropped.voxels.take(side, axis).any() for axis in range(3) for side in (0, -1)), (
            "every side of the box holds a voxel of the mask"
        )
    else:
        assert cropped.box == NO_BOX


@given(masks(), boxes())
def test_a_mask_within_a_box_is_that_part_of_the_whole(mask: Bools, box: Box) -> None:
    (i0, i1), (j0, j1), (k0, k1) = box
    assert np.array_equal(CroppedMask.cropped(WHOLE, mask).within(box), mask[k0:k1, j0:j1, i0:i1])


@given(masks(), st.tuples(*(st.integers(0, n - 1) for n in SHAPE_IJK)), st.booleans())
def test_a_single_voxel_can_be_set_and_cleared(mask: Bools, ijk: tuple[int, int, int], value: bool) -> None:
    expected = mask.copy()
    expected[ijk[::-1]] = value

    changed = CroppedMask.cropped(WHOLE, mask).with_voxel(ijk, value)

    assert np.array_equal(changed.whole(SHAPE_IJK), expected)
    assert changed.box == CroppedMask.cropped(WHOLE, expected).box


@given(masks(), masks())
def test_a_difference_leads_both_ways(one: Bools, other: Bools) -> None:
    first, second = CroppedMask.cropped(WHOLE, one), CroppedMask.cropped(WHOLE, other)

    difference = Difference.between(first, second)

    assert difference.box == CroppedMask.cropped(WHOLE, one ^ other).box
    assert np.array_equal(difference.apply(first).whole(SHAPE_IJK), other)
    assert np.array_equal(difference.apply(second).whole(SHAPE_IJK), one)


@given(hnp.arrays(np.uint8, SHAPE_IJK[::-1], elements=st.integers(0, 3)))
def test_whatever_is_not_zero_belongs_to_a_mask_of_numbers(labels: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(CroppedMask.cropped(WHOLE, labels).whole(SHAPE_IJK), labels != 0)


def test_a_difference_is_as_small_as_the_change() -> None:
    ball = CroppedMask.cropped(((0, 200), (0, 200), (0, 200)), distances((200, 200, 200), (100, 100, 100)) < 90)
    dented = ball.with_voxel((100, 100, 30), False).with_voxel((101, 100, 30), False)

    assert len(Difference.between(ball, dented).packed) < 50
    assert len(Difference.between(EMPTY, ball).packed) < ball.count / 50
    assert len(Difference.between(ball, ball).packed) < 20
