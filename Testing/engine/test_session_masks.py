"""The interactive session: masks made by hand, and going on in another process."""

from __future__ import annotations

import numpy as np
import pytest
from session_stand_ins import (
    CENTRE,
    SHAPE,
    BallPainter,
    TissueFinder,
    a_session,
    ball,
    dice,
    noise,
    small_config,
    volume_with,
)

from msam.errors import PromptError, StateError
from msam.session import Point, Session
from msam.session.masks import CroppedMask
from msam.session.segmenter import MaskPrompt, Segmenter
from msam.session.state import State

# Masks made by hand


def test_a_hand_made_mask_is_the_current_mask_and_the_prompt_of_the_next_step() -> None:
    session = a_session(BallPainter(small_config(), radius=4, memory=1.0))
    session.add_point(CENTRE)
    session.segment()
    by_hand = ball(6, (14, 22, 20))

    session.set_mask(by_hand)
    assert np.array_equal(session.mask, by_hand)
    session.add_point((30, 22, 20))
    session.segment()

    assert dice(session.mask, by_hand | ball(4, (30, 22, 20))) > 0.9
    assert not session.mask[22, 22, 24], "what the hand removed is not decoded again"
    session.undo()
    assert np.array_equal(session.mask, by_hand)
    session.undo()
    assert session.mask[22, 22, 24]


def test_refining_a_hand_made_mask_takes_one_step_from_it() -> None:
    network = BallPainter(small_config(), radius=3, memory=1.0)
    session = a_session(network)
    session.add_point(CENTRE)
    session.segment()
    session.set_mask(ball(10))
    decoded = network.decoded

    result = session.refine(1)

    assert (result.iterations, network.decoded) == (1, decoded + 1)
    assert dice(session.mask, ball(10)) > 0.9


@pytest.mark.parametrize("clicks_per_step", ["new", "all"])
def test_a_negative_point_may_be_the_first_on_a_hand_made_mask(clicks_per_step: str) -> None:
    network = BallPainter(small_config(clicks_per_step=clicks_per_step), radius=3, memory=1.0)
    session = a_session(network)
    session.add_point((30, 22, 20), positive=False)
    session.add_point((18, 22, 20))
    session.set_mask(ball(8))
    # Both points were there before the mask, but none has been segmented.
    session.segment()

    assert network.labels[0] == [0]
    assert dice(session.mask, ball(8) & ~ball(3, (30, 22, 20)) | ball(3, (18, 22, 20))) > 0.9


def test_a_replay_starts_from_the_hand_made_mask() -> None:
    session = a_session(BallPainter(small_config(), radius=4, memory=1.0))
    session.add_point(CENTRE)
    session.segment()
    session.set_mask(ball(6, (14, 22, 20)))
    later = session.add_point((30, 22, 20))
    session.segment()
    expected = session.mask

    session.move_point(later, (30, 26, 20))
    session.segment()
    assert session.mask[20, 22, 14]
    assert session.mask[20, 26, 30]
    session.move_point(later, (30, 22, 20))
    session.segment()

    assert np.array_equal(session.mask, expected)


def test_a_hand_made_mask_larger_than_a_region_is_taken_whole() -> None:
    truth = ball(19)
    session = Session(TissueFinder(small_config(roi_size=16, patch_size=4, normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)
    session.set_mask(ball(17))

    session.segment()

    assert dice(session.mask, truth) > 0.95


@pytest.mark.parametrize(("shape", "value", "complaint"), [((3, 3, 3), 1, "shape"), (SHAPE[::-1], 0, "empty")])
def test_an_unusable_mask_prompt_is_refused(shape: tuple[int, ...], value: int, complaint: str) -> None:
    session = a_session()
    with pytest.raises(PromptError, match=complaint):
        session.set_mask(np.full(shape, value))
    assert not session.can_undo


# Going on elsewhere


def test_another_process_goes_on_from_the_bytes_as_if_it_had_been_there_all_along() -> None:
    session = a_session(BallPainter(small_config(clicks_per_step="all")))
    for position, positive in [(CENTRE, True), ((24, 22, 25), False), ((31, 25, 20), True)]:
        before = session.result
        session.add_point(position, positive)
        result = session.segment()
        elsewhere = Segmenter(BallPainter(small_config(clicks_per_step="all")))
        state = State.from_bytes(before.state) if before else None
        step = elsewhere.step(noise(SHAPE), [Point(0, p.position_ijk, p.positive) for p in session.points], state)
        assert np.array_equal(step.mask.whole(SHAPE), session.mask)
        assert step.state.to_bytes() == result.state


def test_the_mask_can_be_made_again_from_the_state_alone() -> None:
    session = a_session()
    session.add_point(CENTRE)
    result = session.segment()
    network = BallPainter(small_config())

    step = Segmenter(network).step(noise(SHAPE), session.points, State.from_bytes(result.state))

    assert np.array_equal(step.mask.whole(SHAPE), session.mask)
    assert network.decoded == 0


def test_a_state_that_does_not_fit_the_points_is_replaced_by_a_replay() -> None:
    session = a_session()
    session.add_point(CENTRE)
    stale = State.from_bytes(session.segment().state)
    points = [Point(1, (30, 22, 20))]

    step = Segmenter(BallPainter(small_config())).step(noise(SHAPE), points, stale)

    assert step.state.to_bytes() == Segmenter(BallPainter(small_config())).step(noise(SHAPE), points).state.to_bytes()


def test_the_reference_of_the_first_click_stays_that_of_the_session() -> None:
    truth = ball(9)
    session = Session(TissueFinder(small_config(normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)
    session.segment()
    session.add_point((40, 22, 20))
    result = session.segment()

    assert State.from_bytes(result.state).reference == 100


def test_requests_that_do_not_fit_together_are_refused() -> None:
    segmenter = Segmenter(BallPainter(small_config()))
    points = [Point(1, CENTRE)]
    whole = CroppedMask.cropped(((0, 48), (0, 44), (0, 40)), ball(5))
    beyond = CroppedMask.cropped(((30, 78), (0, 44), (0, 40)), ball(5))
    other = Segmenter(BallPainter(small_config(name="other"))).step(noise(SHAPE), points).state
    with pytest.raises(StateError, match="other"):
        segmenter.step(noise(SHAPE), points, other)
    with pytest.raises(PromptError, match="beyond the volume"):
        segmenter.step(noise(SHAPE), points, None, MaskPrompt(beyond))
    with pytest.raises(PromptError, match="2 points as seen; there are 1"):
        segmenter.step(noise(SHAPE), points, None, MaskPrompt(whole, seen=2))
    with pytest.raises(PromptError, match="cannot be negative"):
        segmenter.step(noise(SHAPE), points, iterations=-1)
