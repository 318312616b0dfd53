"""Clicks: where they may lie, and what is said of those that may not."""

from __future__ import annotations

import numpy as np
import pytest
from geometries import GEOMETRIES
from hypothesis import given
from hypothesis import strategies as st
from session_stand_ins import noise

from msam.errors import PromptError
from msam.session.prompts import Point, Prompts, check_points, digest, positive_first

SHAPE = (20, 30, 10)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("frame", ["ijk", "ras", "lps"])
def test_a_click_in_any_frame_lands_on_its_voxel(name: str, frame: str) -> None:
    volume = noise(SHAPE, GEOMETRIES[name])
    ras = (GEOMETRIES[name] @ (4, 17, 6, 1))[:3]
    position = {"ijk": (4, 17, 6), "ras": ras, "lps": ras * (-1, -1, 1)}[frame]

    prompts = Prompts().add(volume, position, True, frame)  # type: ignore[arg-type]

    assert np.allclose(prompts.points[0].position_ijk, (4, 17, 6), atol=1e-9)


@pytest.mark.parametrize(
    ("position", "frame", "bounds"),
    [
        ((20, 0, 0), "ijk", "from i = 0 to 19, from j = 0 to 29, from k = 0 to 9"),
        ((0, 0, 100), "ras", "from R = -0.5 to 19.5 mm, from A = -0.5 to 29.5 mm, from S = -0.5 to 9.5 mm"),
        ((5, 0, 0), "lps", "from L = -19.5 to 0.5 mm, from P = -29.5 to 0.5 mm, from S = -0.5 to 9.5 mm"),
    ],
)
def test_a_click_outside_is_refused_with_the_bounds_in_its_own_frame(
    position: tuple[float, float, float], frame: str, bounds: str
) -> None:
    with pytest.raises(PromptError) as error:
        Prompts().add(noise(SHAPE), position, True, frame)  # type: ignore[arg-type]

    assert bounds in str(error.value)
    assert frame in str(error.value)


@pytest.mark.parametrize("position", [(1, 2), (1, 2, float("nan")), (1, float("inf"), 2), "abc", None])
def test_a_position_that_is_not_three_finite_numbers_is_refused(position: object) -> None:
    with pytest.raises(PromptError, match="three finite numbers"):
        Prompts().add(noise(SHAPE), position)  # type: ignore[arg-type]


def test_a_border_voxel_counts_up_to_its_outer_side() -> None:
    volume = noise(SHAPE)
    Prompts().add(volume, (-0.5, 29.5, 9.5))
    with pytest.raises(PromptError):
        Prompts().add(volume, (-0.51, 0, 0))


def test_moving_and_removing_keep_the_order_and_never_reuse_an_id() -> None:
    volume = noise(SHAPE)
    prompts = Prompts().add(volume, (1, 1, 1)).add(volume, (2, 2, 2), False).add(volume, (3, 3, 3))

    changed = prompts.move(volume, 2, (5, 5, 5)).remove(3).add(volume, (4, 4, 4))

    assert changed.points == (Point(1, (1, 1, 1)), Point(2, (5, 5, 5), False), Point(4, (4, 4, 4)))
    assert len(prompts) == 3, "the collection of before is untouched"


def test_an_unknown_id_is_named_beside_the_known_ones() -> None:
    prompts = Prompts().add(noise(SHAPE), (1, 1, 1)).add(noise(SHAPE), (1, 1, 1))
    with pytest.raises(PromptError, match=r"id 7; the points placed are: 1, 2\."):
        prompts.remove(7)
    with pytest.raises(PromptError, match="id 7"):
        prompts.move(noise(SHAPE), 7, (1, 1, 1))


def test_negative_points_alone_are_refused() -> None:
    with pytest.raises(PromptError, match="no positive point"):
        check_points(noise(SHAPE), [Point(1, (1, 1, 1), False)])


def test_points_from_elsewhere_are_checked_too() -> None:
    with pytest.raises(PromptError, match="outside the volume"):
        check_points(noise(SHAPE), [Point(1, (1, 1, 1)), Point(2, (99, 1, 1), False)])
    with pytest.raises(PromptError, match="finite"):
        check_points(noise(SHAPE), [Point(1, (1, float("nan"), 1))])


@given(labels=st.lists(st.booleans(), min_size=1, max_size=8).filter(any))
def test_steps_start_with_the_first_positive_point_and_keep_all_others_in_order(labels: list[bool]) -> None:
    points = [Point(number, (number, 0, 0), label) for number, label in enumerate(labels)]

    first, *others = positive_first(points)

    assert first is next(point for point in points if point.positive)
    assert others == [point for point in points if point is not first]


def test_without_a_positive_point_the_order_stays() -> None:
    points = (Point(1, (1, 0, 0), False), Point(2, (2, 0, 0), False))
    assert positive_first(points) == points
    assert positive_first(()) == ()


def test_the_fingerprint_sees_positions_labels_and_order_but_no_ids() -> None:
    one, other = Point(1, (1, 2, 3)), Point(2, (4, 5, 6))
    assert digest([one, other]) == digest([Point(8, (1, 2, 3)), Point(9, (4, 5, 6))])
    different = [[other, one], [one], [one, Point(2, (4, 5, 6.0001))], [one, Point(2, (4, 5, 6), False)]]
    assert len({digest([one, other]), *map(digest, different)}) == 5
