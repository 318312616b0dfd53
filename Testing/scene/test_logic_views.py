"""What the user does to the points in the views reaches the logic, and the other way round."""

from __future__ import annotations

import numpy as np
from logic_fixtures import at, click, logic, transport, voxels

from MSAMSegmentLib import LogicEvent, MSAMSegmentLogic

__all__ = ["logic", "transport"]


def test_a_point_placed_in_a_view_is_segmented(logic: MSAMSegmentLogic) -> None:
    logic.createSegment()
    positive, negative = logic._prompts.nodes()
    positive.AddControlPoint(at(logic, 30, 25, 20))
    assert logic.waitUntilIdle(60)
    whole = voxels(logic).sum()
    negative.AddControlPoint(at(logic, 38, 25, 20))
    assert logic.waitUntilIdle(60)
    assert 0 < voxels(logic).sum() < whole
    assert [point["positive"] for point in logic.points()] == [True, False]


def test_a_point_outside_of_the_scan_is_taken_out_again_with_words(logic: MSAMSegmentLogic) -> None:
    heard: list[LogicEvent] = []
    logic.addListener(heard.append)
    positive, _ = logic._prompts.nodes()
    positive.AddControlPoint((900, 0, 0))
    assert positive.GetNumberOfControlPoints() == 0
    assert "outside" in logic.lastError
    assert LogicEvent.ERROR in heard
    assert logic.segmentation is None


def test_a_point_dragged_out_of_the_scan_goes_back(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    positive, _ = logic._prompts.nodes()
    positive.SetNthControlPointPosition(0, 900, 0, 0)
    assert "outside" in logic.lastError
    assert np.allclose(positive.GetNthControlPointPosition(0), at(logic, 30, 25, 20))
    assert np.allclose(logic.points()[0]["positionRas"], at(logic, 30, 25, 20))


def test_moving_and_removing_in_a_view_changes_the_mask(logic: MSAMSegmentLogic) -> None:
    click(logic, 20, 25, 20)
    click(logic, 40, 25, 20)
    positive, _ = logic._prompts.nodes()
    positive.SetNthControlPointPosition(1, *at(logic, 50, 25, 20))
    assert logic.waitUntilIdle(60)
    assert voxels(logic)[20, 25, 50]
    assert not voxels(logic)[20, 25, 35]
    positive.RemoveNthControlPoint(0)
    assert logic.waitUntilIdle(60)
    assert not voxels(logic)[20, 25, 20]
    assert len(logic.points()) == 1


def test_the_points_of_the_selected_segment_are_shown(logic: MSAMSegmentLogic) -> None:
    first = logic.createSegment()
    click(logic, 20, 25, 20)
    logic.createSegment()
    positive, _ = logic._prompts.nodes()
    assert positive.GetNumberOfControlPoints() == 0
    logic.selectSegment(first)
    assert positive.GetNumberOfControlPoints() == 1
    logic.undo()
    assert positive.GetNumberOfControlPoints() == 0


def test_placing_is_started_and_stopped(logic: MSAMSegmentLogic) -> None:
    assert logic.placing is None
    logic.startPlacing(False)
    assert logic.placing is False
    logic.startPlacing(True)
    assert logic.placing is True
    logic.stopPlacing()
    assert logic.placing is None
