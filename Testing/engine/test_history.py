"""Undo and redo of snapshots: points and masks in step."""

from __future__ import annotations

import numpy as np
import pytest

from msam.errors import PromptError
from msam.session.history import STEPS, History, Snapshot
from msam.session.masks import CroppedMask
from msam.session.prompts import Point, Prompts


def a_mask(start: int) -> CroppedMask:
    return CroppedMask.cropped(((start, start + 3), (2, 4), (0, 2)), np.ones((2, 2, 3), bool))


def points(count: int) -> Prompts:
    return Prompts(tuple(Point(number, (number, 0, 0)) for number in range(count)), count)


def test_at_least_fifty_steps_go_back_and_forth_exactly() -> None:
    history = History()
    boxes = [history.mask.box]
    for step in range(1, 61):
        history.commit(Snapshot(points(step)), a_mask(step))
        boxes.append(history.mask.box)

    for step in range(59, -1, -1):
        history.undo()
        assert (history.mask.box, len(history.now.prompts)) == (boxes[step], step)
    assert not history.can_undo
    for step in range(1, 61):
        history.redo()
        assert (history.mask.box, len(history.now.prompts)) == (boxes[step], step)
    assert not history.can_redo


def test_the_oldest_steps_are_forgotten_and_the_others_stay_right() -> None:
    history = History()
    for step in range(1, STEPS + 31):
        history.commit(Snapshot(points(step)), a_mask(step))

    undone = 0
    while history.can_undo:
        history.undo()
        undone += 1

    assert undone == STEPS
    assert len(history.now.prompts) == 30
    assert history.mask.box == a_mask(30).box


def test_a_new_step_takes_the_place_of_what_was_undone() -> None:
    history = History()
    for step in (1, 2, 3):
        history.commit(Snapshot(points(step)), a_mask(step))
    history.undo()
    history.undo()

    history.commit(Snapshot(points(9)), a_mask(9))

    assert not history.can_redo
    history.undo()
    assert history.mask.box == a_mask(1).box


def test_changed_points_join_the_step_that_segments_them() -> None:
    history = History()
    history.commit(Snapshot(points(1)), a_mask(1))
    history.commit(Snapshot(points(2), edited=True), history.mask)
    history.commit(Snapshot(points(3), edited=True), history.mask)
    assert len(history.segmented.prompts) == 1
    history.commit(Snapshot(points(3)), a_mask(3))
    assert len(history.segmented.prompts) == 3

    history.undo()

    assert (history.mask.box, len(history.now.prompts)) == (a_mask(1).box, 1)
    history.redo()
    assert (history.mask.box, len(history.now.prompts)) == (a_mask(3).box, 3)


def test_changed_points_can_be_undone_before_they_are_segmented() -> None:
    history = History()
    history.commit(Snapshot(points(1)), a_mask(1))
    history.commit(Snapshot(points(2), edited=True), history.mask)

    history.undo()
    assert len(history.now.prompts) == 1
    history.redo()
    assert len(history.now.prompts) == 2
    assert history.now.edited


def test_an_empty_history_says_so() -> None:
    with pytest.raises(PromptError, match="nothing to undo"):
        History().undo()
    with pytest.raises(PromptError, match="nothing to redo"):
        History().redo()
