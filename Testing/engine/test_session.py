"""The interactive session: what a click, a correction and a refinement do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from geometries import GEOMETRIES
from session_stand_ins import (
    CENTRE,
    SHAPE,
    BallPainter,
    Switch,
    TissueFinder,
    a_session,
    ball,
    dice,
    noise,
    small_config,
    volume_with,
)

from msam.errors import PromptError
from msam.session import Session

# Where the mask comes out


@pytest.mark.parametrize("spacings", [(), (1.0,), (0.8, 2.0)])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_ball_drawn_at_the_click_comes_back_at_the_click(name: str, spacings: tuple[float, ...]) -> None:
    volume = noise((90, 80, 70), GEOMETRIES[name])
    click_ijk = np.array([41.3, 37.8, 33.6])
    click_ras = (GEOMETRIES[name] @ (*click_ijk, 1))[:3]
    session = Session(BallPainter(small_config(spacings=spacings), radius=8.3), volume)
    session.add_point(click_ras, frame="ras")

    session.segment()

    k, j, i = (values.mean() for values in np.nonzero(session.mask))
    assert np.abs(np.array([i, j, k]) - click_ijk).max() <= 0.5


def test_the_mask_of_a_lesion_is_that_of_its_tissue() -> None:
    truth = ball(9)
    session = Session(TissueFinder(small_config(normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)

    result = session.segment()

    assert dice(session.mask, truth) > 0.95
    assert not result.is_empty
    assert result.quality == pytest.approx(0.9)
    assert f"{session.mask.sum():,} voxels" in result.message
    assert set(result.timings) == {"cut", "encode", "decode", "paste", "total"}


def test_a_click_at_the_very_corner_of_the_volume_works() -> None:
    for corner in ((-0.5, -0.5, -0.5), tuple(np.array(SHAPE) - 0.5)):
        session = Session(BallPainter(small_config(normalisation="click", spacings=(0.7,))), noise(SHAPE))
        session.add_point(corner)
        session.segment()
        i, j, k = np.clip(corner, 0, np.array(SHAPE) - 1).astype(int)
        assert session.mask[k, j, i]


def test_the_voxel_of_a_positive_click_belongs_to_the_mask_and_that_of_a_negative_one_does_not() -> None:
    truth = ball(9)
    session = Session(TissueFinder(small_config(normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)
    session.segment()
    before = session.mask
    # The tissue finder ignores where the clicks are, so that all it changes are these voxels.
    session.add_point((24.4, 22.2, 18.6), positive=False)
    session.add_point((36, 22, 20))
    session.segment()

    different = np.argwhere(session.mask ^ before).tolist()
    assert different == [[19, 22, 24], [20, 22, 36]]
    assert session.mask[20, 22, 36]
    session.add_point((36, 22, 20), positive=False)
    session.segment()
    assert not session.mask[20, 22, 36], "the later of two clicks on one voxel decides"


def test_an_empty_mask_is_a_result_that_says_so() -> None:
    network = BallPainter(small_config(), radius=-5.0)
    session = a_session(network)
    session.add_point(CENTRE)

    result = session.segment()

    assert result.is_empty
    assert "empty" in result.message
    assert result.box == ((0, 0), (0, 0), (0, 0))
    assert not session.mask.any()
    session.add_point((20, 20, 20))
    assert session.refine(2).is_empty


# The result


def test_the_box_and_its_voxels_turn_the_mask_before_into_the_new_one() -> None:
    session = a_session()
    mask = session.mask
    session.add_point(CENTRE)
    for act in (
        session.segment,
        lambda: (session.add_point((28, 22, 20)), session.segment())[1],
        lambda: (session.add_point((24, 20, 16), positive=False), session.segment())[1],
        session.undo,
        session.undo,
        session.redo,
    ):
        result = act()
        (i0, i1), (j0, j1), (k0, k1) = result.box
        assert (mask[k0:k1, j0:j1, i0:i1] ^ result.voxels).any()
        mask[k0:k1, j0:j1, i0:i1] = result.voxels
        assert np.array_equal(mask, session.mask)
        assert session.result is result


def test_segmenting_again_without_anything_new_changes_nothing() -> None:
    network = BallPainter(small_config())
    session = a_session(network)
    session.add_point(CENTRE)
    first, decoded = session.segment(), network.decoded

    second = session.segment()

    assert second.box == ((0, 0), (0, 0), (0, 0))
    assert (second.iterations, network.decoded, second.state) == (0, decoded, first.state)
    session.undo()
    assert not session.can_undo, "nothing was added to the history"


# Which points a step sees


@pytest.mark.parametrize(
    ("clicks_per_step", "expected"),
    [("new", [[1], [0], [1], [1], [1]]), ("all", [[1], [1, 0], [1, 0, 1], [1, 0, 1], [1, 0, 1]])],
)
def test_a_step_sees_the_points_that_training_showed_it(clicks_per_step: str, expected: list[list[int]]) -> None:
    network = BallPainter(small_config(clicks_per_step=clicks_per_step), memory=0.9)
    session = a_session(network)
    session.add_point(CENTRE)
    session.add_point((24, 22, 25), positive=False)
    session.add_point((28, 22, 20))
    session.segment()
    session.refine(2)

    assert network.labels[: len(expected)] == expected[: len(network.labels)]
    assert len(network.labels) >= 4


def test_the_second_click_costs_one_decode() -> None:
    network = BallPainter(small_config())
    session = a_session(network)
    session.add_point(CENTRE)
    session.segment()
    encoded, decoded = network.encoded, network.decoded

    session.add_point((26, 22, 20))
    session.segment()

    assert (network.encoded, network.decoded) == (encoded, decoded + 1)


@pytest.mark.parametrize("clicks_per_step", ["new", "all"])
def test_points_segmented_one_by_one_or_at_once_give_the_same_mask(clicks_per_step: str) -> None:
    clicks = [(CENTRE, True), ((24, 22, 25), False), ((30, 22, 20), True), ((20, 18, 20), True)]
    one_by_one, at_once = (
        a_session(BallPainter(small_config(clicks_per_step=clicks_per_step), memory=0.7)) for _ in range(2)
    )
    for position, positive in clicks:
        one_by_one.add_point(position, positive)
        step_by_step = one_by_one.segment()
        at_once.add_point(position, positive)

    together = at_once.segment()

    assert np.array_equal(one_by_one.mask, at_once.mask)
    assert step_by_step.state == together.state
    assert together.iterations == 4


def test_a_negative_point_placed_first_waits_for_the_positive_one() -> None:
    network = BallPainter(small_config())
    session = a_session(network)
    session.add_point((24, 22, 25), positive=False)
    with pytest.raises(PromptError, match="no positive point"):
        session.segment()
    session.add_point(CENTRE)

    session.segment()

    assert network.labels == [[1], [0]]


@pytest.mark.parametrize("change", ["move", "remove"])
def test_a_changed_point_is_as_if_it_had_never_been_elsewhere(change: str) -> None:
    session, fresh = a_session(), a_session()
    session.add_point(CENTRE)
    second = session.add_point((30, 22, 20))
    session.segment()
    session.add_point((24, 22, 25), positive=False)
    session.segment()
    encoded = session._segmenter.model.encoded  # type: ignore[attr-defined]
    fresh.add_point(CENTRE)
    if change == "move":
        session.move_point(second, (26, 22, 20))
        fresh.add_point((26, 22, 20))
    else:
        session.remove_point(second)
    fresh.add_point((24, 22, 25), positive=False)

    session.segment()
    fresh.segment()

    assert np.array_equal(session.mask, fresh.mask)
    assert session._segmenter.model.encoded == encoded  # type: ignore[attr-defined]


# Refining


def test_refining_stops_when_the_mask_no_longer_changes_and_says_how_often_it_ran() -> None:
    switch = Switch()
    session = a_session(BallPainter(small_config(), memory=0.5), progress=switch.heard)
    session.add_point(CENTRE)
    session.segment()

    result = session.refine(50)

    assert 1 <= result.iterations < 50
    assert sum(words.startswith("Refining") for words in switch.words) == result.iterations
    assert session.refine(1).iterations == 1


def test_refining_counts_every_iteration_that_changed_something() -> None:
    session = a_session(BallPainter(small_config(), memory=1.0))
    network = session._segmenter.model
    grow = network.decode

    def growing(*args: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, quality = grow(*args)
        return logits + 0.3, quality

    network.decode = growing  # type: ignore[method-assign, assignment]
    session.add_point(CENTRE)
    session.segment()
    sizes = [session.mask.sum()]
    result = session.refine(3)
    assert result.iterations == 3
    assert session.mask.sum() > sizes[0]
    session.undo()
    assert session.mask.sum() == sizes[0], "three iterations asked for at once are one step"


@pytest.mark.parametrize("iterations", [0, -1])
def test_refining_less_than_once_is_refused(iterations: int) -> None:
    session = a_session()
    session.add_point(CENTRE)
    with pytest.raises(PromptError, match="at least one"):
        session.refine(iterations)
