"""Undo and redo, against a list of snapshots."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from msam.protocol.masks import EMPTY, Mask, cropped
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.history import LEVELS, History, MaskDiff, Step, StepKind
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.segment_record import SegmentRecord

SIDE = 6
SHAPE = (SIDE, SIDE, SIDE)
SEGMENTS = ["tumour", "node"]


def masks():
    bits = st.lists(st.booleans(), min_size=8, max_size=8)
    corner = st.tuples(*[st.integers(0, SIDE - 2)] * 3)
    return st.builds(at_corner, bits, corner)


def at_corner(bits: list[bool], corner: tuple[int, int, int]) -> Mask:
    whole = np.zeros(SHAPE, np.bool_)
    k, j, i = corner
    whole[k : k + 2, j : j + 2, i : i + 2] = np.array(bits).reshape(2, 2, 2)
    return cropped(whole)


def step(before: Mask, after: Mask, number: int = 1, segment: str = "tumour") -> Step:
    return Step(
        segment, MaskDiff.between(before, after), record(number - 1), record(number), StepKind.POINTS, f"point {number}"
    )


def record(number: int) -> SegmentRecord:
    return SegmentRecord(points=tuple(Point(n + 1, (0.0, 0.0, float(n)), True) for n in range(number % 7)))


@given(masks(), masks())
@settings(max_examples=200, deadline=None)
def test_a_difference_leads_both_ways(before, after):
    difference = MaskDiff.between(before, after)
    for start, goal in ((before, after), (after, before)):
        reached = difference.apply(start)
        assert np.array_equal(reached.whole(SHAPE), goal.whole(SHAPE))
        assert reached.box == cropped(goal.whole(SHAPE)).box
    assert difference.isEmpty == np.array_equal(before.whole(SHAPE), after.whole(SHAPE))


def test_a_difference_works_left_of_the_origin():
    before = Mask(((-5, -3), (0, 2), (-1, 1)), np.ones((2, 2, 2), np.bool_))
    after = Mask(((-4, 0), (0, 2), (-1, 1)), np.ones((2, 2, 4), np.bool_))
    difference = MaskDiff.between(before, after)
    assert difference.box == ((-5, 0), (0, 2), (-1, 1))
    assert difference.apply(before).box == after.box
    assert difference.apply(after).box == before.box


def test_a_small_change_of_a_large_mask_takes_little():
    large = Mask(((0, 200),) * 3, np.ones((200, 200, 200), np.bool_))
    changed = Mask(large.box, large.voxels.copy())
    changed.voxels[100:110, 90:100, 80:90] = False
    difference = MaskDiff.between(large, changed)
    assert difference.box == ((80, 90), (90, 100), (100, 110))
    assert len(difference.packed) < 200


class AgainstSnapshots(RuleBasedStateMachine):
    """Every state is remembered whole; the history has to lead to the same ones."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History(levels=5)
        self.masks = dict.fromkeys(SEGMENTS, EMPTY)
        self.records = dict.fromkeys(SEGMENTS, record(0))
        self.snapshots = [self.snapshot()]
        self.at = 0
        self.number = 0

    def snapshot(self) -> dict[str, tuple[bytes, SegmentRecord]]:
        return {each: (self.masks[each].whole(SHAPE).tobytes(), self.records[each]) for each in SEGMENTS}

    @rule(segment=st.sampled_from(SEGMENTS), mask=masks())
    def act(self, segment: str, mask: Mask) -> None:
        self.number += 1
        after = record(self.number)
        difference = MaskDiff.between(self.masks[segment], mask)
        self.history.push(
            Step(segment, difference, self.records[segment], after, StepKind.POINTS, f"point {self.number}")
        )
        self.masks[segment], self.records[segment] = mask, after
        self.snapshots = [*self.snapshots[: self.at + 1], self.snapshot()][-6:]
        self.at = len(self.snapshots) - 1

    @precondition(lambda self: self.at > 0)
    @rule()
    def undo(self) -> None:
        self.go(self.history.undo(), -1)

    @precondition(lambda self: self.at < len(self.snapshots) - 1)
    @rule()
    def redo(self) -> None:
        self.go(self.history.redo(), 1)

    def go(self, taken: Step, way: int) -> None:
        self.masks[taken.segmentId] = taken.difference.apply(self.masks[taken.segmentId])
        self.records[taken.segmentId] = taken.before if way < 0 else taken.after
        self.at += way

    @invariant()
    def stands_where_the_snapshots_say(self) -> None:
        assert self.snapshot() == self.snapshots[self.at]
        assert self.history.canUndo == (self.at > 0)
        assert self.history.canRedo == (self.at < len(self.snapshots) - 1)
        assert bool(self.history.undoDescription) == self.history.canUndo
        assert bool(self.history.redoDescription) == self.history.canRedo
        assert len(self.history) == len(self.snapshots) - 1

    @rule(there=st.integers(0, 5))
    def somebody_else_travels(self, there: int) -> None:
        """Masks as they were at any snapshot are recognised as the nearest snapshot with these masks."""
        there %= len(self.snapshots)
        found = {
            each: cropped(np.frombuffer(bits, np.bool_).reshape(SHAPE))
            for each, (bits, _) in self.snapshots[there].items()
        }
        steps = self.history.travelled(self.masks, found)
        bits = [[bits for bits, _ in snapshot.values()] for snapshot in self.snapshots]
        alike = [abs(number - self.at) for number in range(len(bits)) if bits[number] == bits[there]]
        assert abs(steps) == min(alike)
        assert bits[self.at + steps] == bits[there]


TestAgainstSnapshots = AgainstSnapshots.TestCase
TestAgainstSnapshots.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

ONE = at_corner([True] * 8, (0, 0, 0))
TWO = at_corner([True] * 8, (3, 3, 3))


def test_nothing_to_undo_or_redo_is_said_in_words():
    with pytest.raises(SceneError, match="nothing to undo"):
        History().undo()
    with pytest.raises(SceneError, match="nothing to redo"):
        History().redo()


def test_a_new_step_takes_the_place_of_undone_ones():
    history = History()
    history.push(step(EMPTY, ONE, 1))
    history.undo()
    history.push(step(EMPTY, TWO, 2))
    assert not history.canRedo
    assert history.undoDescription == "point 2"


def test_masks_that_no_step_leads_to_are_no_travel():
    history = History()
    history.push(step(EMPTY, ONE))
    assert history.travelled({"tumour": ONE}, {"tumour": TWO}) == 0
    assert history.travelled({"tumour": ONE}, {"tumour": EMPTY}) == -1


def test_steps_of_segments_that_are_not_looked_at_are_passed_over():
    history = History()
    history.push(step(EMPTY, ONE, 1))
    history.push(step(EMPTY, TWO, 2, "node"))
    assert history.travelled({"tumour": ONE}, {"tumour": EMPTY}) == -2


def test_what_a_step_took_from_others_counts_and_goes_with_it():
    history = History(levels=2)
    for number in range(4):
        history.push(replace(step(ONE, EMPTY, number, "node"), kind=StepKind.TAKEN))
        history.push(step(EMPTY, ONE, number))
    assert [history.undo().description for _ in range(len(history))] == ["point 3", "point 3", "point 2", "point 2"]


def test_steps_of_a_removed_segment_vanish():
    history = History()
    history.push(step(EMPTY, ONE, 1))
    history.push(step(EMPTY, ONE, 2, "node"))
    history.push(step(ONE, TWO, 3, "node"))
    history.undo()
    history.dropSegment("node")
    assert history.undo().segmentId == "tumour"
    assert not history.canUndo
    assert history.redo().description == "point 1"
    assert not history.canRedo


def test_clearing_forgets_everything():
    history = History()
    history.push(step(EMPTY, ONE, 1))
    history.push(step(ONE, TWO, 2))
    history.undo()
    history.clear()
    assert (history.canUndo, history.canRedo, len(history), history.nbytes) == (False, False, 0, 0)


def test_many_levels_take_memory_for_what_changed_only():
    history, before = History(), Mask(((0, 128),) * 3, np.ones((128, 128, 128), np.bool_))
    random, slowest = np.random.default_rng(1), 0.0
    earlier = SegmentRecord(state=random.bytes(1000))
    for number in range(LEVELS + 30):
        voxels = before.voxels.copy()
        i, j, k = random.integers(1, 120, 3)
        voxels[k : k + 6, j : j + 6, i : i + 6] ^= True
        after, later = Mask(before.box, voxels), SegmentRecord(state=random.bytes(1000))
        started = time.process_time()
        difference = MaskDiff.between(before, after)
        history.push(Step("tumour", difference, earlier, later, StepKind.POINTS, f"point {number}"))
        slowest = max(slowest, time.process_time() - started)
        before, earlier = after, later
    assert len(history) == LEVELS >= 200
    assert history.nbytes < LEVELS * 1200 + 2000
    assert slowest < 0.2
    for _ in range(LEVELS):
        before = history.undo().difference.apply(before)
    assert not history.canUndo
    for _ in range(LEVELS):
        before = history.redo().difference.apply(before)
    assert np.array_equal(before.whole((128, 128, 128)), after.whole((128, 128, 128)))
