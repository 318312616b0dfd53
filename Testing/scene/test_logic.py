"""The logic from a script: points in, masks out, and everything back again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import vtk
from logic_fixtures import at, click, logic, transport, voxels
from stand_in_engine import StandInTransport

from msam.errors import PromptError, VolumeError
from MSAMSegmentLib import LogicEvent, MSAMSegmentLogic
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.masking import Overwrite

__all__ = ["logic", "transport"]


def test_a_click_makes_a_segment_with_a_ball_around_it(logic: MSAMSegmentLogic) -> None:
    assert click(logic, 30, 25, 20) == 1
    k, j, i = np.nonzero(voxels(logic))
    assert np.allclose((i.mean(), j.mean(), k.mean()), (30, 25, 20), atol=0.5)
    assert logic.lastResult.segmentId == logic.selectedSegment
    assert not logic.lastResult.isEmpty
    assert logic.lastResult.message.startswith(f"The mask has {voxels(logic).sum():,} voxels; the model expects")
    assert logic.status.words == logic.lastResult.message
    assert not logic.isBusy
    assert logic.lastError == ""


def test_the_expected_overlap_is_that_of_the_mask_as_it_is_now(logic: MSAMSegmentLogic) -> None:
    assert logic.expectedOverlap() is None
    click(logic, 30, 25, 20)
    segment = logic.selectedSegment
    assert logic.expectedOverlap() == logic.lastResult.quality
    logic.selectSegment(logic.createSegment())
    assert logic.expectedOverlap() is None
    assert logic.expectedOverlap(segment) == logic.lastResult.quality
    logic.selectSegment(segment)
    logic.undo()
    assert not voxels(logic).any()
    assert logic.expectedOverlap() is None
    logic.redo()
    assert logic.expectedOverlap() == logic.lastResult.quality
    logic.clearPoints()
    assert logic.expectedOverlap() is None
    assert logic.expectedOverlap("no such segment") is None


def test_a_call_returns_at_once_and_the_mask_follows(logic: MSAMSegmentLogic) -> None:
    logic.addPoint(at(logic, 30, 25, 20))
    assert logic.isBusy
    assert logic.status.isCancellable
    assert len(logic.points()) == 1
    assert not voxels(logic).any()
    assert logic.waitUntilIdle(60)
    assert voxels(logic).any()


def test_a_point_outside_of_the_scan_is_refused_and_changes_nothing(logic: MSAMSegmentLogic) -> None:
    with pytest.raises(PromptError, match="outside"):
        logic.addPoint((1000, 0, 0))
    with pytest.raises(PromptError, match="three numbers"):
        logic.addPoint((0, 0, float("nan")))
    assert logic.segmentation is None
    assert logic.points() == []


def test_without_a_scan_a_point_is_refused_with_what_to_do(logic: MSAMSegmentLogic) -> None:
    logic.setInputVolume(None)
    with pytest.raises(VolumeError, match="choose"):
        logic.addPoint((0, 0, 0))
    assert logic.status.words == "Choose a scan."


def test_undo_and_redo_move_points_and_voxels_together(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    one = voxels(logic)
    click(logic, 38, 25, 20, positive=False)
    two = voxels(logic)
    assert one.sum() > two.sum()
    assert logic.undoDescription == "negative point"
    logic.undo()
    assert np.array_equal(voxels(logic), one)
    assert len(logic.points()) == 1
    assert logic.redoDescription == "negative point"
    logic.redo()
    assert np.array_equal(voxels(logic), two)
    assert len(logic.points()) == 2
    logic.undo()
    logic.undo()
    assert not voxels(logic).any()
    assert not logic.canUndo
    with pytest.raises(SceneError, match="nothing to undo"):
        logic.undo()


def test_at_least_fifty_steps_can_be_undone_and_made_again(logic: MSAMSegmentLogic) -> None:
    masks = [np.zeros((40, 50, 60), bool)]
    for number in range(55):
        click(logic, 3 + number, 25, 20)
        masks.append(voxels(logic))
    for mask in reversed(masks[:-1]):
        logic.undo()
        assert np.array_equal(voxels(logic), mask)
    for mask in masks[1:]:
        logic.redo()
        assert np.array_equal(voxels(logic), mask)


def test_quick_clicks_become_one_request_after_the_one_that_runs(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    for i in (20, 25, 30, 35):
        logic.addPoint(at(logic, i, 25, 20))
    assert logic.waitUntilIdle(60)
    asked = [len(header.clicks) for header in transport.requests if header.clicks]
    assert set(asked) == {1, 4}
    assert logic.undoDescription == "3 points"


def test_a_point_that_is_moved_while_its_answer_is_awaited_is_asked_for_anew(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    transport.delay = 50
    identifier = logic.addPoint(at(logic, 10, 25, 20))
    transport.pump(10)
    logic.movePoint(identifier, at(logic, 40, 25, 20))
    assert logic.waitUntilIdle(60)
    _, _, i = np.nonzero(voxels(logic))
    assert abs(i.mean() - 40) < 0.5
    logic.undo()
    assert not logic.canUndo


def test_the_answer_goes_to_the_segment_that_asked(logic: MSAMSegmentLogic) -> None:
    first = logic.createSegment("First")
    logic.addPoint(at(logic, 15, 25, 20))
    second = logic.createSegment("Second")
    logic.addPoint(at(logic, 45, 25, 20))
    assert logic.waitUntilIdle(60)
    assert abs(np.nonzero(voxels(logic, first))[2].mean() - 15) < 0.5
    assert abs(np.nonzero(voxels(logic, second))[2].mean() - 45) < 0.5
    assert logic.selectedSegment == second
    assert [point["identifier"] for point in logic.points(first)] == [1]


def test_only_negative_points_ask_for_a_positive_one_and_are_kept(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20, positive=False)
    assert "positive" in logic.status.words
    assert logic.lastError == ""
    assert not voxels(logic).any()
    click(logic, 35, 25, 20)
    assert not voxels(logic)[20, 25, 30]
    assert voxels(logic)[20, 25, 35]


def test_removing_the_last_positive_point_empties_the_segment_and_undo_brings_it_back(logic: MSAMSegmentLogic) -> None:
    identifier = click(logic, 30, 25, 20)
    mask = voxels(logic)
    logic.removePoint(identifier)
    assert logic.waitUntilIdle(60)
    assert not voxels(logic).any()
    logic.undo()
    assert np.array_equal(voxels(logic), mask)
    assert len(logic.points()) == 1
    assert click(logic, 31, 25, 20) == 2


def test_clearing_is_one_step(logic: MSAMSegmentLogic) -> None:
    for i in (20, 30, 40):
        click(logic, i, 25, 20)
    mask = voxels(logic)
    logic.clearPoints()
    assert logic.points() == []
    assert not voxels(logic).any()
    logic.undo()
    assert np.array_equal(voxels(logic), mask)
    assert len(logic.points()) == 3


def test_each_refinement_is_one_step_and_it_ends_when_nothing_changes(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    logic.refine(10)
    assert logic.waitUntilIdle(60)
    assert "clearly better" in logic.status.words
    sizes = [voxels(logic).sum()]
    while logic.undoDescription == "refinement":
        logic.undo()
        sizes.append(voxels(logic).sum())
    assert len(sizes) == 4  # the stand-in grows a mask three times
    assert sizes == sorted(sizes, reverse=True)


def test_a_refinement_can_be_looked_at_and_rejected_or_accepted(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    before = voxels(logic)
    logic.refine(2, preview=True)
    assert logic.waitUntilIdle(60)
    assert logic.isPreviewing
    refined = voxels(logic)
    logic.rejectRefinement()
    assert not logic.isPreviewing
    assert np.array_equal(voxels(logic), before)
    logic.refine(2, preview=True)
    assert logic.waitUntilIdle(60)
    logic.acceptRefinement()
    assert not logic.isPreviewing
    assert np.array_equal(voxels(logic), refined)


def test_any_other_action_accepts_a_refinement(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    logic.refine(1, preview=True)
    assert logic.waitUntilIdle(60)
    refined = voxels(logic)
    click(logic, 50, 40, 30)
    assert not logic.isPreviewing
    assert (voxels(logic) & refined).sum() == refined.sum()


def test_there_is_nothing_to_refine_without_a_positive_point(logic: MSAMSegmentLogic) -> None:
    with pytest.raises(PromptError, match="nothing to refine"):
        logic.refine()


def test_taking_from_other_segments_is_one_step_that_gives_all_back(logic: MSAMSegmentLogic) -> None:
    first = logic.createSegment()
    click(logic, 28, 25, 20)
    whole = voxels(logic, first)
    logic.settings.overwrite = Overwrite.TAKE_FROM_OTHERS
    second = logic.createSegment()
    click(logic, 34, 25, 20)
    assert not (voxels(logic, first) & voxels(logic, second)).any()
    assert voxels(logic, first).sum() < whole.sum()
    logic.undo()
    assert np.array_equal(voxels(logic, first), whole)
    assert not voxels(logic, second).any()
    logic.redo()
    assert not (voxels(logic, first) & voxels(logic, second)).any()
    assert voxels(logic, second).any()


def test_points_stay_in_their_voxels_when_the_scan_is_moved(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    transform = logic.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    before = logic.points()[0]["positionRas"]
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 17)
    transform.SetMatrixTransformToParent(matrix)
    logic.inputVolume.SetAndObserveTransformNodeID(transform.GetID())
    assert np.allclose(np.subtract(logic.points()[0]["positionRas"], before), (17, 0, 0))


def test_listeners_hear_what_changes_and_one_that_fails_stops_nothing(
    logic: MSAMSegmentLogic, caplog: pytest.LogCaptureFixture
) -> None:
    heard = []

    def failing(_event: LogicEvent) -> None:
        raise ValueError("a defect")

    logic.addListener(failing)
    logic.addListener(heard.append)
    click(logic, 30, 25, 20)
    for event in ("selection", "segments", "points", "status", "result", "history", "engine"):
        assert LogicEvent(event) in heard
    assert "A listener failed" in caplog.text
    logic.removeListener(heard.append)
    heard.clear()
    logic.undo()
    assert heard == []


def test_a_click_in_a_hidden_segment_shows_it(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    segment = logic.selectedSegment
    logic.setSegmentVisible(segment, False)
    logic.clearPoints()
    assert not logic.segmentation.GetDisplayNode().GetSegmentVisibility(segment)
    click(logic, 31, 25, 20)
    assert logic.segmentation.GetDisplayNode().GetSegmentVisibility(segment)


def test_after_the_last_segment_the_next_one_is_shown_in_3d_as_before(logic: MSAMSegmentLogic) -> None:
    for isShown in (True, False):
        logic.show3D(isShown)
        click(logic, 30, 25, 20)
        assert logic.isShown3D is isShown
        for segment in logic.segmentIds():
            logic.removeSegment(segment)
        assert logic.isShown3D is isShown


def test_segments_can_be_named_coloured_hidden_and_removed(logic: MSAMSegmentLogic) -> None:
    first, second = logic.createSegment(), logic.createSegment("Node")
    segmentation = logic.segmentation.GetSegmentation()
    assert [segmentation.GetSegment(each).GetName() for each in logic.segmentIds()] == ["Lesion 1", "Node"]
    logic.renameSegment(first, "Primary")
    logic.setSegmentColor(first, (1, 0, 0))
    logic.setSegmentVisible(first, False)
    assert segmentation.GetSegment(first).GetName() == "Primary"
    assert segmentation.GetSegment(first).GetColor() == (1, 0, 0)
    assert not logic.segmentation.GetDisplayNode().GetSegmentVisibility(first)
    logic.removeSegment(second)
    assert logic.segmentIds() == [first]
    assert logic.selectedSegment == first
    with pytest.raises(SceneError, match="no such segment"):
        logic.selectSegment(second)


def test_segments_are_exported_into_one_file_or_one_file_each(logic: MSAMSegmentLogic, tmp_path: Path) -> None:
    first, second = logic.createSegment("Läsion/1|a"), logic.createSegment("Node")
    for segmentId, i in ((first, 20), (second, 24)):
        logic.selectSegment(segmentId)
        click(logic, i, 25, 20)
    with pytest.raises(SceneError, match="overlap"):
        logic.exportSegments([first, second], tmp_path / "both.nrrd")
    written = logic.exportSegments([first, second], tmp_path, oneFilePerSegment=True, ending=".nii.gz")
    assert [path.name for path in written] == ["Läsion_1_a.nii.gz", "Node.nii.gz"]
    for path, segmentId in zip(written, (first, second), strict=True):
        image = SimpleITK.ReadImage(str(path))
        assert np.array_equal(SimpleITK.GetArrayFromImage(image) > 0, voxels(logic, segmentId))
        assert image.GetSpacing() == pytest.approx((1, 1, 2))
        assert image.GetOrigin() == pytest.approx((-30, -25, -40))
    with pytest.raises(SceneError, match="exist"):
        logic.exportSegments([first, second], tmp_path, oneFilePerSegment=True, ending=".nii.gz")
    assert logic.exportSegments([first, second], tmp_path, True, True, ".nii.gz") == written
    assert logic.exportSegments(second, tmp_path / "one.mha") == [tmp_path / "one.mha"]
    with pytest.raises(SceneError, match="folder"):
        logic.exportSegments([first, second], tmp_path / "none", oneFilePerSegment=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*(each.name for each in written), "one.mha"])
