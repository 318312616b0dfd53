"""What is asked for the points of a segment, against an engine whose answers say what they were made from."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_cdt

from msam.protocol.masks import EMPTY, Mask
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.segment_record import Base, SegmentRecord
from MSAMSegmentLib.stepping import (
    HIDDEN,
    Ask,
    Empty,
    NeedsPositive,
    Nothing,
    Restore,
    afterAnswer,
    afterHandEdit,
    afterRestore,
    deepestVoxel,
    isUnanswered,
    stepFor,
    stillFits,
    withoutUnanswered,
)

A = Point(1, (1.0, 2.0, 3.0), True)
B = Point(2, (4.0, 5.0, 6.0), False)
C = Point(3, (7.0, 8.0, 9.0), True)
CUBE = Mask(((2, 7), (2, 7), (2, 7)), np.ones((5, 5, 5), np.bool_))
MIDDLE = Point(HIDDEN, (4.0, 4.0, 4.0), True)


def clicked(*points: Point, answered: tuple[Point, ...] = (), **fields: object) -> SegmentRecord:
    return SegmentRecord(points=points, answered=answered, state=b"S" if answered else b"", **fields)


def plan(record: SegmentRecord, **options: object) -> object:
    return stepFor(record, record.points, None if record.base is None else record.base.mask, **options)


def test_nothing_is_asked_without_points():
    assert plan(SegmentRecord()) == Nothing()
    assert plan(SegmentRecord(), refining=True) == Nothing()


def test_a_new_point_goes_on_from_the_state():
    asked = plan(clicked(A, B, C, answered=(A, B)))
    assert (asked.points, asked.state, asked.mask, asked.seen) == ((A, B, C), b"S", None, 0)
    assert [(click.position_ijk, click.positive) for click in asked.clicks] == [
        (A.positionIjk, True),
        (B.positionIjk, False),
        (C.positionIjk, True),
    ]


@pytest.mark.parametrize(
    "changed",
    [
        (replace(A, positionIjk=(0.0, 0.0, 0.0)), B, C),
        (A, replace(B, positive=True), C),
        (B, C),
        (A, C),
    ],
    ids=["moved", "flipped", "removed first", "removed second"],
)
def test_any_other_change_starts_the_engine_anew(changed):
    asked = plan(clicked(*changed, answered=(A, B)))
    assert (asked.points, asked.state, asked.mask) == (changed, b"", None)


def test_answered_points_want_nothing_unless_refined():
    record = clicked(A, B, answered=(A, B))
    assert plan(record) == Nothing()
    asked = plan(record, refining=True)
    assert (asked.points, asked.state) == ((A, B), b"S")


def test_refining_without_a_state_sends_the_points():
    asked = plan(replace(clicked(A, answered=(A,)), state=b""), refining=True)
    assert (asked.points, asked.state, asked.mask) == ((A,), b"", None)


def test_negative_points_alone_need_a_positive_one():
    assert plan(clicked(B)) == NeedsPositive()
    assert plan(clicked(B), refining=True) == NeedsPositive()


@pytest.mark.parametrize("left", [(), (B,)])
def test_without_its_last_positive_point_a_segment_becomes_empty(left):
    record = clicked(*left, answered=(A, B))
    assert plan(record) == Empty()
    after = afterRestore(record, left)
    assert plan(after) == (NeedsPositive() if left else Nothing())
    assert not isUnanswered(after)
    asked = plan(after.withPoints((*left, C)))
    assert (asked.points, asked.state) == ((*left, C), b"")


def test_a_drawn_mask_is_what_the_first_click_goes_on_from():
    record = afterHandEdit(SegmentRecord(), CUBE)
    assert plan(record) == Nothing()
    asked = plan(record.withPoints((A,)))
    assert (asked.points, asked.state, asked.mask, asked.seen) == ((A,), b"", CUBE, 0)


def test_an_edited_mask_accounts_for_the_points_answered_before():
    record = afterHandEdit(clicked(A, B, answered=(A, B)), CUBE)
    assert plan(record) == Nothing()
    asked = plan(record.withPoints((A, B, C)))
    assert (asked.points, asked.state, asked.mask, asked.seen) == ((A, B, C), b"S", CUBE, 2)
    later = afterAnswer(record.withPoints((A, B, C)), asked, b"T", 0.5, "scan")
    assert plan(later) == Nothing()
    assert (later.state, later.quality, later.volumeIdentity) == (b"T", 0.5, "scan")


def test_points_that_waited_while_a_mask_was_edited_are_sent_on_top_of_it():
    record = afterHandEdit(clicked(A, B, answered=(A,)), CUBE)
    asked = plan(record)
    assert (asked.points, asked.seen, asked.mask) == ((A, B), 1, CUBE)


def test_a_seen_point_that_was_moved_is_sent_after_the_others():
    record = afterHandEdit(clicked(A, B, C, answered=(A, B, C)), CUBE)
    moved = replace(A, positionIjk=(0.0, 0.0, 0.0))
    asked = plan(record.withPoints((moved, B, C)))
    assert (asked.points, asked.seen, asked.mask, asked.state) == ((B, C, moved), 2, CUBE, b"S")
    later = afterAnswer(record.withPoints((moved, B, C)), asked, b"T", 0.5, "")
    more = Point(9, (1.0, 1.0, 1.0), True)
    assert plan(later.withPoints((moved, B, C, more))).points == (B, C, moved, more)
    assert withoutUnanswered(later).points == (moved, B, C)


def test_the_mask_follows_the_removal_of_a_seen_point():
    record = afterHandEdit(clicked(A, B, C, answered=(A, B, C)), CUBE)
    asked = plan(record.withPoints((A, C)))
    assert (asked.points, asked.seen, asked.mask) == ((A, C), 2, CUBE)


def test_removing_what_was_clicked_on_a_base_brings_the_base_back():
    base = afterHandEdit(clicked(A, answered=(A,)), CUBE)
    asked = plan(base.withPoints((A, C)))
    later = afterAnswer(base.withPoints((A, C)), asked, b"T", 0.5, "")
    restored = plan(later.withPoints((A,)))
    assert isinstance(restored, Restore)
    assert restored.base.mask is CUBE
    after = afterRestore(later, (A,))
    assert plan(after) == Nothing()
    assert plan(after.withPoints((A, C))).mask is CUBE


def test_removing_every_point_brings_the_base_back():
    record = replace(afterHandEdit(clicked(A, answered=(A,)), CUBE), points=())
    assert isinstance(plan(record), Restore)


def test_a_negative_click_on_a_drawn_mask_comes_with_a_hidden_positive_one():
    record = afterHandEdit(SegmentRecord(), CUBE).withPoints((B,))
    asked = plan(record)
    assert (asked.points, asked.seen, asked.mask) == ((MIDDLE, B), 1, CUBE)
    later = afterAnswer(record, asked, b"T", 0.5, "")
    assert plan(later) == Nothing()
    assert later.points == (B,)
    assert stillFits(asked, (B, C))
    more = replace(B, identifier=8)
    on = plan(later.withPoints((B, more)))
    assert (on.points, on.state, on.mask) == ((MIDDLE, B, more), b"T", None)
    with_positive = plan(later.withPoints((B, C)))
    assert (with_positive.points, with_positive.seen, with_positive.mask) == ((B, C), 0, CUBE)


def test_refining_a_drawn_mask_sends_a_hidden_click():
    asked = plan(afterHandEdit(SegmentRecord(), CUBE), refining=True)
    assert (asked.points, asked.seen, asked.mask) == ((MIDDLE,), 1, CUBE)


def test_a_base_beside_the_volume_cannot_be_a_prompt():
    record = afterHandEdit(SegmentRecord(), CUBE)
    assert stepFor(record, (A,), EMPTY).mask is None
    assert stepFor(record, (B,), EMPTY) == NeedsPositive()


def test_a_segment_that_was_erased_by_hand_starts_from_its_points():
    record = afterHandEdit(clicked(A, answered=(A,)), EMPTY)
    assert plan(record) == Nothing()
    asked = plan(record.withPoints((A, C)))
    assert (asked.points, asked.mask, asked.state) == ((A, C), None, b"")


def test_erasing_a_segment_without_points_leaves_nothing_beneath():
    assert afterHandEdit(SegmentRecord(), EMPTY) == SegmentRecord()


def test_a_base_and_its_mask_come_together():
    with pytest.raises(ValueError, match="the other way round"):
        stepFor(SegmentRecord(), (A,), CUBE)
    with pytest.raises(ValueError, match="the other way round"):
        stepFor(SegmentRecord(base=Base(CUBE)), (A,), None)


def test_an_answer_fits_as_long_as_points_were_only_added():
    asked = Ask((A, B))
    assert stillFits(asked, (A, B, C))
    assert not stillFits(asked, (A, C))
    assert not stillFits(asked, (A, replace(B, positive=True)))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_deepest_voxel_is_as_deep_as_any(data):
    shape = data.draw(st.tuples(*[st.integers(1, 6)] * 3))
    size = math.prod(shape)
    bits = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    voxels = np.array(bits).reshape(shape)
    voxels.flat[data.draw(st.integers(0, voxels.size - 1))] = True
    mask = Mask(((3, 3 + shape[2]), (10, 10 + shape[1]), (-2, -2 + shape[0])), voxels)
    i, j, k = deepestVoxel(mask)
    depth = distance_transform_cdt(np.pad(voxels, 1), "taxicab")[1:-1, 1:-1, 1:-1]
    assert depth[int(k) + 2, int(j) - 10, int(i) - 3] == depth.max() > 0


def test_the_deepest_voxel_honours_the_spacing():
    voxels = np.zeros((9, 9, 40), np.bool_)
    voxels[:, 0:2, 0:2] = True  # a column, long in voxels and thin in mm
    voxels[4, :, 12:] = True  # a slice 5 mm thick
    i, j, k = deepestVoxel(Mask(((0, 40), (0, 9), (0, 9)), voxels), (1.0, 1.0, 5.0))
    assert (k, j) == (4, 4)
    assert 16 <= i <= 35


class Engine:
    """Answers with what it was asked for: the state is the story of the mask, which is all that the mask is."""

    def ask(self, asked: Ask) -> bytes:
        clicks = [[*point.positionIjk, point.positive] for point in asked.points]
        assert any(point.positive for point in asked.points)
        if asked.mask is not None:
            assert asked.mask.voxels.any()
            story = {"mask": asked.mask.voxels.tobytes().hex(), "seen": clicks[: asked.seen], "decoded": []}
        elif asked.state:
            story = json.loads(asked.state)
            known = story["seen"] + story["decoded"]
            assert clicks[: len(known)] == known, "a state was sent with other clicks than it was made from"
        else:
            story = {"mask": "", "seen": [], "decoded": []}
        story["decoded"] = clicks[len(story["seen"]) :]
        return json.dumps(story).encode()


@st.composite
def actions(draw):
    kind = draw(st.sampled_from(["add", "add", "add", "move", "flip", "remove", "edit", "settle", "settle"]))
    return kind, draw(st.integers(0, 5)), draw(st.booleans())


@given(st.lists(actions(), max_size=25))
@settings(max_examples=300, deadline=None)
def test_the_mask_depends_on_points_and_base_alone(story):
    record, engine, content = SegmentRecord(), Engine(), b""
    for kind, number, positive in [*story, ("settle", 0, True)]:
        points = record.points
        at = number % len(points) if points else None
        if kind == "add":
            place = (float(number), 0.0, float(record.nextIdentifier))
            record = record.withPoints((*points, Point(record.nextIdentifier, place, positive)))
        elif kind == "edit":
            voxels = np.zeros((3, 3, 3), np.bool_)
            voxels.flat[:number] = True
            content = b"edited" if number else b""
            record = afterHandEdit(record, Mask(((0, 3), (0, 3), (0, 3)), voxels) if number else EMPTY)
        elif kind == "settle":
            record, content = settled(record, engine, content)
        elif at is not None:
            if kind == "remove":
                points = (*points[:at], *points[at + 1 :])
            elif kind == "move":
                moved = replace(points[at], positionIjk=(float(number), 1.0, points[at].positionIjk[2] + 0.5))
                points = (*points[:at], moved, *points[at + 1 :])
            else:
                points = (*points[:at], replace(points[at], positive=not points[at].positive), *points[at + 1 :])
            record = record.withPoints(points)
    if content in (b"edited", b""):
        return
    afresh = replace(record, state=b"", answered=())
    again, same = settled(afresh, engine, b"")
    assert same == content
    assert again.points == record.points
    identifiers = [point.identifier for point in record.points]
    assert identifiers == sorted(set(identifiers))
    assert record.nextIdentifier > max(identifiers, default=0)


def settled(record: SegmentRecord, engine: Engine, content: bytes) -> tuple[SegmentRecord, bytes]:
    """The record once nothing is to be done any more, and what the mask is made from."""
    for _ in range(2):
        step = plan(record)
        if isinstance(step, Ask):
            content = engine.ask(step)
            record = afterAnswer(record, step, content, 0.5, "")
            assert not isUnanswered(record)
        elif isinstance(step, Restore | Empty):
            content = b"edited" if isinstance(step, Restore) and step.base.mask.voxels.any() else b""
            record = afterRestore(record, record.points)
            assert not isUnanswered(record)
    assert isinstance(plan(record), Nothing | NeedsPositive)
    return record, content


def test_planning_on_a_large_drawn_mask_is_quick():
    k, j, i = np.indices((128, 128, 128)) - 64
    ball = Mask(((0, 128),) * 3, k**2 + j**2 + i**2 < 60**2)
    record = afterHandEdit(SegmentRecord(), ball).withPoints((B,))
    started = time.process_time()
    asked = plan(record)
    assert time.process_time() - started < 1.0
    assert asked.points[0].positionIjk == (64.0, 64.0, 64.0)
