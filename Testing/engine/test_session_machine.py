"""Random sessions against a simple model of the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from session_stand_ins import BallPainter, distances, noise, small_config

from msam.errors import PromptError
from msam.session import Point, Result, Session
from msam.session.segmenter import Segmenter
from msam.session.state import State

SHAPE = (40, 36, 30)
VOLUME = noise(SHAPE, np.diag([-1.0, -1.0, 1.3, 1.0]))

positions = st.tuples(*[st.floats(0, length - 1, width=16) for length in SHAPE])
which = st.integers(0, 100)


def a_network(clicks_per_step: str) -> BallPainter:
    return BallPainter(small_config(roi_size=16, patch_size=4, clicks_per_step=clicks_per_step), radius=3.5)


@dataclass(frozen=True)
class Moment:
    """What the user sees at one place of the history."""

    points: tuple[Point, ...] = ()
    mask: bytes = np.zeros(SHAPE, bool).tobytes()
    state: bytes = b""
    edited: bool = False


class Sessions(RuleBasedStateMachine):
    """Every rule does the same to a session and to a list of moments."""

    @initialize(clicks_per_step=st.sampled_from(["new", "all"]))
    def begin(self, clicks_per_step: str) -> None:
        self.clicks_per_step = clicks_per_step
        self.session = Session(a_network(clicks_per_step), VOLUME)
        self.moments = [Moment()]
        self.at = 0

    @property
    def now(self) -> Moment:
        return self.moments[self.at]

    def remember(self, moment: Moment) -> None:
        keep = self.at if self.now.edited else self.at + 1
        self.moments = [*self.moments[:keep], moment]
        self.at = len(self.moments) - 1

    def edited(self, points: tuple[Point, ...]) -> None:
        self.remember(replace(self.now, points=points, edited=True))

    def stepped(self, result: Result, before: npt.NDArray[np.bool_]) -> None:
        (i0, i1), (j0, j1), (k0, k1) = result.box
        before[k0:k1, j0:j1, i0:i1] = result.voxels
        assert np.array_equal(before, self.session.mask), "the box is all that changed"
        assert result.is_empty == (not before.any())
        self.remember(Moment(self.session.points, before.tobytes(), result.state))

    @rule(position=positions, positive=st.booleans())
    def add_a_point(self, position: tuple[float, float, float], positive: bool) -> None:
        identity = self.session.add_point(position, positive)
        assert identity not in {point.id for point in self.now.points}
        self.edited((*self.now.points, Point(identity, position, positive)))

    @precondition(lambda self: self.now.points)
    @rule(which=which, position=positions)
    def move_a_point(self, which: int, position: tuple[float, float, float]) -> None:
        number = which % len(self.now.points)
        moved = replace(self.now.points[number], position_ijk=position)
        self.session.move_point(moved.id, position)
        self.edited((*self.now.points[:number], moved, *self.now.points[number + 1 :]))

    @precondition(lambda self: self.now.points)
    @rule(which=which)
    def remove_a_point(self, which: int) -> None:
        number = which % len(self.now.points)
        self.session.remove_point(self.now.points[number].id)
        self.edited((*self.now.points[:number], *self.now.points[number + 1 :]))

    @rule()
    def segment(self) -> None:
        if not any(point.positive for point in self.now.points):
            with pytest.raises(PromptError):
                self.session.segment()
            return
        if self.now.state and not self.now.edited:
            assert self.session.segment().iterations == 0
            return
        before = self.session.mask
        state = State.from_bytes(self.now.state) if self.now.state else None
        result = self.session.segment()
        if self.session._history.now.hand_made is None:
            elsewhere = Segmenter(a_network(self.clicks_per_step)).step(VOLUME, self.session.points, state)
            assert elsewhere.state.to_bytes() == result.state
            assert np.array_equal(elsewhere.mask.whole(SHAPE), self.session.mask)
        self.stepped(result, before)

    @rule(iterations=st.integers(1, 3))
    def refine(self, iterations: int) -> None:
        if not any(point.positive for point in self.now.points):
            with pytest.raises(PromptError):
                self.session.refine(iterations)
            return
        before = self.session.mask
        result = self.session.refine(iterations)
        assert result.iterations >= 1
        self.stepped(result, before)

    @rule(centre=positions, radius=st.floats(2, 6))
    def edit_by_hand(self, centre: tuple[float, float, float], radius: float) -> None:
        mask = distances(SHAPE, centre) <= radius
        self.session.set_mask(mask)
        self.remember(Moment(self.session.points, mask.tobytes(), b""))

    @rule()
    def undo(self) -> None:
        if self.at == 0:
            with pytest.raises(PromptError):
                self.session.undo()
            return
        before = self.session.mask
        result = self.session.undo()
        self.at -= 1
        self.travelled(result, before)

    @rule()
    def redo(self) -> None:
        if self.at == len(self.moments) - 1:
            with pytest.raises(PromptError):
                self.session.redo()
            return
        before = self.session.mask
        result = self.session.redo()
        self.at += 1
        self.travelled(result, before)

    def travelled(self, result: Result, before: npt.NDArray[np.bool_]) -> None:
        (i0, i1), (j0, j1), (k0, k1) = result.box
        before[k0:k1, j0:j1, i0:i1] = result.voxels
        assert np.array_equal(before, self.session.mask)
        assert result.state == self.now.state

    @invariant()
    def what_the_user_sees_is_the_truth(self) -> None:
        assert self.session.points == self.now.points
        assert self.session.mask.tobytes() == self.now.mask
        assert self.session.can_undo == (self.at > 0)
        assert self.session.can_redo == (self.at < len(self.moments) - 1)


Sessions.TestCase.settings = settings(max_examples=20, stateful_step_count=20)
test_random_sessions = Sessions.TestCase
