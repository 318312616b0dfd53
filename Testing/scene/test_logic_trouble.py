"""The logic when things go wrong, or go away, while the engine is at work."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from logic_fixtures import at, click, logic, transport, voxels
from stand_in_engine import StandInTransport
from volume_nodes import volume_from

from MSAMSegmentLib import LogicEvent, MSAMSegmentLogic
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.segments import readMask

__all__ = ["logic", "transport"]


def test_after_a_crash_the_click_is_answered_all_the_same(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    click(logic, 20, 25, 20)
    transport.failNext("crash")
    click(logic, 40, 25, 20)
    assert logic.lastError == ""
    assert voxels(logic)[20, 25, 20]
    assert voxels(logic)[20, 25, 40]


def test_a_failed_request_keeps_the_point_until_it_is_tried_again(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    heard: list[LogicEvent] = []
    logic.addListener(heard.append)
    transport.failNext("internal")
    click(logic, 30, 25, 20)
    assert logic.lastError
    assert logic.status.words == logic.lastError
    assert LogicEvent.ERROR in heard
    assert len(logic.points()) == 1
    assert not voxels(logic).any()
    logic.retry()
    assert logic.waitUntilIdle(60)
    assert logic.lastError == ""
    assert voxels(logic).any()


def test_the_next_click_sends_a_point_that_failed(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    transport.failNext("internal")
    click(logic, 20, 25, 20)
    click(logic, 40, 25, 20)
    assert voxels(logic)[20, 25, 20]
    assert voxels(logic)[20, 25, 40]


def test_undo_takes_a_point_without_an_answer_away_first(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    click(logic, 20, 25, 20)
    mask = voxels(logic)
    transport.failNext("internal")
    click(logic, 40, 25, 20)
    logic.undo()
    assert [point["identifier"] for point in logic.points()] == [1]
    assert np.array_equal(voxels(logic), mask)


def test_undo_of_a_waiting_point_leaves_what_other_segments_wait_for(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    first, second = logic.createSegment(), logic.createSegment()
    transport.delay = 20
    logic.selectSegment(first)
    logic.addPoint(at(logic, 20, 25, 20))
    transport.pump(5)
    logic.selectSegment(second)
    logic.addPoint(at(logic, 40, 25, 20))
    logic.undo()
    assert logic.isBusy
    assert logic.waitUntilIdle(60)
    assert logic.points(second) == []
    assert not voxels(logic, second).any()
    assert voxels(logic, first)[20, 25, 20]


def test_a_redo_that_cannot_be_leaves_what_is_under_way(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    click(logic, 20, 25, 20)
    logic.undo()
    transport.delay = 20
    logic.addPoint(at(logic, 40, 25, 20))
    transport.pump(5)
    with pytest.raises(SceneError, match="after a new point"):
        logic.redo()
    assert logic.isBusy
    assert logic.waitUntilIdle(60)
    assert voxels(logic)[20, 25, 40]


@pytest.mark.parametrize("pumps", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
def test_cancel_works_at_every_moment_and_loses_nothing(
    logic: MSAMSegmentLogic, transport: StandInTransport, pumps: int
) -> None:
    transport.startDelay, transport.service.uploadDelay, transport.delay = 10, 10, 20
    logic.addPoint(at(logic, 30, 25, 20))
    transport.pump(pumps)
    assert logic.isBusy == (pumps < 55)
    logic.cancel()
    assert not logic.isBusy
    transport.pump(100)
    assert len(logic.points()) == 1
    assert voxels(logic).any() == (pumps == 55)
    logic.retry()
    assert logic.waitUntilIdle(60)
    assert voxels(logic).any()


def test_cancelling_a_refinement_keeps_what_it_has_done(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    click(logic, 30, 25, 20)
    before = voxels(logic)
    transport.delay = 20
    logic.refine(3)
    transport.runUntil(lambda: voxels(logic).sum() > before.sum(), 10)
    once = voxels(logic)
    logic.cancel()
    transport.pump(200)
    assert np.array_equal(voxels(logic), once)
    logic.undo()
    assert np.array_equal(voxels(logic), before)


def test_an_engine_that_has_forgotten_the_scan_gets_it_again(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    click(logic, 20, 25, 20)
    transport.forgetVolumes()
    click(logic, 40, 25, 20)
    assert voxels(logic)[20, 25, 40]


def test_a_state_that_the_engine_cannot_use_costs_nothing(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    click(logic, 20, 25, 20)
    mask = voxels(logic)
    transport.failNext("state-unusable")
    click(logic, 40, 25, 20)
    assert logic.lastError == ""
    assert voxels(logic)[20, 25, 40]
    assert (voxels(logic) & mask).sum() == mask.sum()


@pytest.mark.parametrize("what", ["volume", "segmentation", "segment", "everything"])
@pytest.mark.parametrize("pumps", [0, 5, 15, 25])
def test_what_is_removed_while_the_engine_works_is_let_go_of_without_a_word(
    logic: MSAMSegmentLogic, transport: StandInTransport, what: str, pumps: int
) -> None:
    heard: list[LogicEvent] = []
    transport.startDelay, transport.delay = 10, 20
    logic.addPoint(at(logic, 30, 25, 20))
    logic.addListener(heard.append)
    transport.pump(pumps)
    assert logic.isBusy
    match what:
        case "volume":
            logic.scene.RemoveNode(logic.inputVolume)
        case "segmentation":
            logic.scene.RemoveNode(logic.segmentation)
        case "segment":
            logic.segmentation.GetSegmentation().RemoveSegment(logic.selectedSegment)
        case "everything":
            logic.scene.Clear(0)
    assert not logic.isBusy
    transport.pump(100)
    assert LogicEvent.ERROR not in heard
    assert LogicEvent.RESULT not in heard
    assert logic.lastError == ""
    assert (logic.inputVolume is None) == (what in ("volume", "everything"))
    assert (logic.segmentation is None) == (what in ("segmentation", "everything"))
    if what == "volume":
        assert not voxels_in(logic)
    if what == "segment":
        assert logic.selectedSegment == ""
        assert click(logic, 30, 25, 20) == 1
        assert voxels(logic).any()


def voxels_in(logic: MSAMSegmentLogic) -> int:
    """How many voxels the selected segment has."""
    return int(readMask(logic.segmentation, logic.selectedSegment).voxels.sum())


def test_a_locked_segment_is_not_changed(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    kind = slicer.vtkSlicerSegmentationsModuleLogic
    kind.SetSegmentStatus(logic.segmentation.GetSegmentation().GetSegment(logic.selectedSegment), kind.Completed)
    mask = voxels(logic)
    with pytest.raises(SceneError, match="completed"):
        logic.addPoint(at(logic, 40, 25, 20))
    with pytest.raises(SceneError, match="completed"):
        logic.undo()
    assert np.array_equal(voxels(logic), mask)
    assert len(logic.points()) == 1
    assert logic.canUndo


def test_nothing_is_kept_after_a_volume_is_removed(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    random = np.random.default_rng(0)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def once() -> None:
        voxels = random.integers(-100, 100, (32, 64, 64)).astype(np.int16)
        logic.setInputVolume(volume_from(logic.scene, voxels))
        click(logic, 32, 32, 16)
        click(logic, 40, 32, 16, positive=False)
        transport.forgetVolumes()  # the stand-in's memory is the engine's, not ours
        transport.requests.clear()
        logic.scene.RemoveNode(logic.inputVolume)
        logic.scene.RemoveNode(logic.segmentation)

    def settle() -> None:
        transport.runUntil(lambda: False, 10_000)  # what is due, or was cancelled, leaves the stand-in's queue
        gc.collect()

    for _ in range(40):
        once()
    settle()
    before, objects, nodes = resident(), len(gc.get_objects()), logic.scene.GetNumberOfNodes()
    for _ in range(200):
        once()
    settle()
    # Each volume has 256 kB: keeping them would take 52 MB.
    assert resident() - before < 8_000_000
    assert len(gc.get_objects()) - objects < 400
    assert logic.scene.GetNumberOfNodes() == nodes


def test_closing_the_logic_leaves_the_scene_and_no_observer(logic: MSAMSegmentLogic, scene: Any) -> None:
    click(logic, 30, 25, 20)
    mask = voxels(logic)
    heard: list[LogicEvent] = []
    logic.addListener(heard.append)
    logic.close()
    logic.inputVolume.Modified()
    logic.settings.parameterNode.Modified()
    logic.segmentation.GetSegmentation().GetSegment(logic.selectedSegment).SetName("Other")
    assert heard == []
    assert np.array_equal(voxels(logic), mask)
