"""The two markups nodes show what they are told to and report what the user does, each thing once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import slicer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_log import PromptLog

from MSAMSegmentLib.points import Point
from MSAMSegmentLib.prompt_nodes import ROLE_ATTRIBUTE, find_nodes
from MSAMSegmentLib.prompts import Prompts

A = Point(1, (30.0, 25.0, 20.0), True)
B = Point(2, (10.5, 12.25, 3.0), True)
C = Point(3, (40.0, 30.0, 30.0), False)


@pytest.fixture
def log(scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Iterator[PromptLog]:
    made = PromptLog(scene, volumeNode)
    yield made
    made.prompts.close()


def test_shows_points_where_their_voxels_are_and_says_nothing(log: PromptLog) -> None:
    log.show(A, B, C)
    assert log.seen() == log.expected() and len(log.seen()) == 3
    assert log.told == []


def test_makes_no_nodes_before_there_is_something_to_show(scene: slicer.vtkMRMLScene, log: PromptLog) -> None:
    log.prompts.show([], None)
    log.show()
    assert find_nodes(scene, True) == find_nodes(scene, False) == []


def test_shows_nothing_without_a_scan(log: PromptLog) -> None:
    log.show(A, C)
    log.prompts.show([A, C], None)
    assert log.seen() == set() and log.told == []


def test_nodes_are_told_apart_by_role_name_colour_and_shape(log: PromptLog) -> None:
    positive, negative = log.prompts.nodes()
    assert (positive.GetName(), negative.GetName()) == ("Positive points", "Negative points")
    assert (positive.GetAttribute(ROLE_ATTRIBUTE), negative.GetAttribute(ROLE_ATTRIBUTE)) == ("positive", "negative")
    looks = [node.GetDisplayNode() for node in (positive, negative)]
    assert looks[0].GetGlyphType() != looks[1].GetGlyphType()
    for look in looks:
        assert look.GetColor() == look.GetSelectedColor()
        assert not look.GetPointLabelsVisibility() and look.GetOccludedVisibility()
        assert look.GetSnapMode() == look.SnapModeUnconstrained
    (red, green), (_, other) = looks[0].GetColor()[:2], looks[1].GetColor()[:2]
    assert green > red and looks[1].GetColor()[0] > other


def test_points_added_in_the_markups_module_are_told_once_each(log: PromptLog) -> None:
    log.prompts.nodes()[1].AddControlPointWorld(1.0, 2.0, 3.0)
    log.prompts.nodes()[0].AddControlPointWorld(4.0, 5.0, 6.0)
    assert log.takeTold() == [("added", (1, 2, 3), False), ("added", (4, 5, 6), True)]
    assert log.seen() == log.expected() and len(log.seen()) == 2


def test_several_points_added_and_removed_at_once_are_told_one_by_one(log: PromptLog) -> None:
    node = log.prompts.nodes()[0]
    modified = node.StartModify()
    for x in range(4):
        node.AddControlPointWorld(float(x), 0.0, 0.0)
    node.EndModify(modified)
    assert [told[0] for told in log.takeTold()] == ["added"] * 4
    modified = node.StartModify()
    node.RemoveNthControlPoint(2)
    node.RemoveNthControlPoint(0)
    node.EndModify(modified)
    assert log.takeTold() == [("removed", 1), ("removed", 3)]
    node.RemoveAllControlPoints()
    assert log.takeTold() == [("removed", 2), ("removed", 4)]
    assert log.seen() == set()


def test_a_point_moved_by_a_script_is_told_at_once_and_one_moved_nowhere_is_not(log: PromptLog) -> None:
    log.show(A, B, C)
    node = log.prompts.nodes()[0]
    node.SetNthControlPointPosition(1, 4.0, 5.0, 6.0)
    assert log.takeTold() == [("moved", 2, (4, 5, 6))]
    node.SetNthControlPointPosition(1, 4.0, 5.0, 6.0)
    node.SetNthControlPointLabel(1, "a name")
    node.SetNthControlPointSelected(0, False)
    node.SetNthControlPointLocked(0, True)
    assert log.takeTold() == []
    assert log.seen() == log.expected()


def test_a_point_made_undefined_is_removed_and_one_defined_again_is_added(log: PromptLog) -> None:
    log.show(A, B)
    node = log.prompts.nodes()[0]
    node.UnsetNthControlPointPosition(0)
    assert log.takeTold() == [("removed", 1)]
    node.AddControlPoint(1.0, 1.0, 1.0)
    assert log.takeTold() == [("added", (1, 1, 1), True)]


def test_a_preview_never_counts(log: PromptLog) -> None:
    node = log.prompts.nodes()[0]
    index = node.AddControlPoint(0.0, 0.0, 0.0)
    log.takeTold()
    node.SetNthControlPointPosition(index, 1.0, 1.0, 1.0, node.PositionPreview)
    log.takeTold()
    node.SetNthControlPointPosition(index, 2.0, 1.0, 1.0, node.PositionPreview)
    node.RemoveNthControlPoint(index)
    assert log.takeTold() == []


def test_a_refused_point_is_taken_out_and_that_is_not_told(log: PromptLog) -> None:
    log.show(A)
    log.refuses = True
    log.prompts.nodes()[0].AddControlPointWorld(500.0, 0.0, 0.0)
    assert [told[0] for told in log.takeTold()] == ["added"]
    assert log.seen() == log.expected() and len(log.seen()) == 1


def test_a_refused_move_goes_back(log: PromptLog) -> None:
    log.show(A, B)
    log.refuses = True
    log.prompts.nodes()[0].SetNthControlPointPosition(0, 500.0, 0.0, 0.0)
    assert log.takeTold() == [("moved", 1, (500, 0, 0))]
    assert log.seen() == log.expected()


def test_all_points_moved_at_once_are_told_one_by_one(log: PromptLog) -> None:
    log.show(A, B, C)
    node = log.prompts.nodes()[0]
    modified = node.StartModify()
    node.SetNthControlPointPosition(0, 1.0, 0.0, 0.0)
    node.SetNthControlPointPosition(1, 2.0, 0.0, 0.0)
    node.AddControlPoint(3.0, 0.0, 0.0)
    node.EndModify(modified)
    assert log.takeTold() == [("moved", 1, (1, 0, 0)), ("moved", 2, (2, 0, 0)), ("added", (3, 0, 0), True)]
    modified = node.StartModify()
    node.RemoveNthControlPoint(0)
    node.SetNthControlPointPosition(0, 5.0, 0.0, 0.0)
    node.EndModify(modified)
    assert log.takeTold() == [("removed", 1), ("moved", 2, (5, 0, 0))]
    assert log.seen() == log.expected() and len(log.seen()) == 3


def test_clicks_during_a_callback_are_told_after_it(log: PromptLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def onAddedSlowly(position: tuple, positive: bool) -> None:
        if position[0] == 1:
            log.prompts.nodes()[0].AddControlPoint(2.0, 0.0, 0.0)
            log.prompts.nodes()[1].AddControlPoint(3.0, 0.0, 0.0)
        PromptLog.onAdded(log, position, positive)

    monkeypatch.setattr(log, "onAdded", onAddedSlowly)
    log.prompts.nodes()[0].AddControlPoint(1.0, 0.0, 0.0)
    assert log.takeTold() == [("added", (x, 0, 0), x < 3) for x in (1, 2, 3)]
    assert log.seen() == log.expected() and len(log.seen()) == 3


def test_showing_a_placed_point_keeps_its_control_point(log: PromptLog) -> None:
    node = log.prompts.nodes()[0]
    node.AddControlPointWorld(1.0, 2.0, 3.0)
    before = node.GetNthControlPointID(0)
    log.show(*log.points)
    assert node.GetNthControlPointID(0) == before


def test_a_flipped_point_changes_its_node(log: PromptLog) -> None:
    log.show(A, B)
    log.show(A, Point(B.identifier, B.positionIjk, False))
    assert log.seen() == log.expected() and {sign for sign, _ in log.seen()} == {True, False}
    log.prompts.nodes()[1].RemoveNthControlPoint(0)
    assert log.takeTold() == [("removed", 2)]


def test_a_drag_counts_when_it_ends(log: PromptLog) -> None:
    log.show(A, B)
    node = log.prompts.nodes()[0]
    node.GetDisplayNode().SetActiveControlPoint(0)
    node.InvokeEvent(node.PointStartInteractionEvent)
    for x in (1.0, 2.0, 3.0):
        node.SetNthControlPointPosition(0, x, 0.0, 0.0)
    assert log.told == []
    node.InvokeEvent(node.PointEndInteractionEvent)
    assert log.takeTold() == [("moved", 1, (3, 0, 0))]


def test_what_is_shown_during_a_drag_waits_for_its_end(log: PromptLog) -> None:
    log.show(A, B)
    node = log.prompts.nodes()[0]
    node.GetDisplayNode().SetActiveControlPoint(1)
    node.InvokeEvent(node.PointStartInteractionEvent)
    node.SetNthControlPointPosition(1, 1.0, 0.0, 0.0)
    log.show(B, C)  # an undo while the mouse holds B
    assert node.GetNumberOfControlPoints() == 2
    node.InvokeEvent(node.PointEndInteractionEvent)
    assert log.takeTold() == [("moved", 2, (1, 0, 0))]
    assert log.seen() == log.expected() and len(log.seen()) == 2


def test_prompts_without_a_listener_take_placed_points_out(scene: slicer.vtkMRMLScene) -> None:
    prompts = Prompts(scene)
    node = prompts.nodes()[0]
    node.AddControlPoint(1.0, 2.0, 3.0)
    assert node.GetNumberOfControlPoints() == 0
    prompts.close()


voxels = st.tuples(*(st.floats(-0.5, size - 0.5).map(lambda value: round(value, 3)) for size in (60, 50, 40)))
lists = st.lists(st.tuples(st.integers(1, 6), voxels, st.booleans()), max_size=6, unique_by=lambda entry: entry[0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shown=st.lists(lists, min_size=1, max_size=5), placed=voxels)
def test_any_lists_one_after_the_other(log: PromptLog, shown: list, placed: tuple) -> None:
    for entries in shown:
        log.show(*(Point(*entry) for entry in entries))
        nodes = log.prompts.nodes()
        assert sum(node.GetNumberOfControlPoints() for node in nodes) == len(entries)
        assert log.seen() == log.expected() and log.told == []
    world = np.array([-1, -1, 2]) * placed + (30, 25, -40)
    nodes[0].AddControlPointWorld(*world)
    assert len(log.takeTold()) == 1 and len(log.points) == len(entries) + 1
    while nodes[0].GetNumberOfControlPoints():
        nodes[0].RemoveNthControlPoint(0)
    assert all(not point.positive for point in log.points)
    assert {told[0] for told in log.takeTold()} == {"removed"}
    assert log.seen() == log.expected()
