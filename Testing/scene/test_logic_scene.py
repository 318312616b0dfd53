"""The scene is the truth: saved, loaded, closed, imported, and edited by others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from logic_fixtures import at, click, logic, transport, voxels
from segment_voxels import put
from stand_in_engine import StandInTransport
from volume_nodes import volume_from

from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.segments import readMask

__all__ = ["logic", "transport"]


def draw(logic: MSAMSegmentLogic, mask: np.ndarray) -> None:
    """What another module does: puts these voxels into the selected segment."""
    put(logic.segmentation, logic.selectedSegment, mask, logic.inputVolume)


def reload(logic: MSAMSegmentLogic, path: Path) -> None:
    """Saves the scene, closes it, and loads it again."""
    assert logic.scene.WriteToMRB(str(path))
    logic.scene.Clear(0)
    assert logic.inputVolume is None
    assert logic.segmentation is None
    assert logic.scene.ReadFromMRB(str(path), True)


def test_after_saving_and_loading_the_next_click_gives_the_identical_mask(
    logic: MSAMSegmentLogic, transport: StandInTransport, tmp_path: Path
) -> None:
    click(logic, 30, 25, 20)
    click(logic, 38, 25, 20, positive=False)
    logic.refine(2)
    assert logic.waitUntilIdle(60)
    assert logic.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    click(logic, 20, 20, 20)
    expected = voxels(logic)
    logic.scene.Clear(0)
    assert logic.points() == []
    assert logic.scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    assert len(logic.points()) == 2
    assert not logic.canUndo
    click(logic, 20, 20, 20)
    assert np.array_equal(voxels(logic), expected)
    assert transport.requests[-1].mask is None  # it went on from the state, not from the mask


def test_a_point_without_an_answer_is_saved_and_answered_later(
    logic: MSAMSegmentLogic, transport: StandInTransport, tmp_path: Path
) -> None:
    transport.failNext("internal")
    click(logic, 30, 25, 20)
    reload(logic, tmp_path / "scene.mrb")
    assert len(logic.points()) == 1
    logic.retry()
    assert logic.waitUntilIdle(60)
    assert voxels(logic)[20, 25, 30]


def test_settings_come_back_with_the_scene(logic: MSAMSegmentLogic, tmp_path: Path) -> None:
    click(logic, 30, 25, 20)
    logic.settings.refineIterations = 7
    selected = logic.createSegment("Other")
    reload(logic, tmp_path / "scene.mrb")
    assert logic.settings.refineIterations == 7
    assert logic.selectedSegment == selected


def test_surfaces_that_were_wanted_in_a_closed_scene_are_not_made_in_the_next(
    logic: MSAMSegmentLogic, tmp_path: Path
) -> None:
    click(logic, 30, 25, 20)
    assert logic.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    logic.scene.Clear(0)
    logic.setInputVolume(volume_from(logic.scene, np.zeros((5, 5, 5), np.int16)))
    logic.createSegmentation()
    logic.show3D(True)
    assert logic.isShown3D
    assert logic.scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    assert not logic.isShown3D


def test_a_second_scene_is_imported_beside_the_first(logic: MSAMSegmentLogic, tmp_path: Path) -> None:
    click(logic, 30, 25, 20)
    assert logic.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    first, one = logic.segmentation, voxels(logic)
    click(logic, 45, 25, 20)
    two = voxels(logic)
    logic.addPoint(at(logic, 10, 10, 10))  # under way while the scene is imported
    assert logic.scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False)
    assert logic.waitUntilIdle(60)
    assert logic.segmentation is not first
    assert np.array_equal(voxels(logic), one)
    assert len(logic.points()) == 1
    click(logic, 45, 25, 20)
    assert np.array_equal(voxels(logic), two)
    own = first.GetSegmentation().GetNthSegmentID(0)
    assert readMask(first, own).whole((60, 50, 40))[10, 10, 10]


def test_a_segment_that_was_drawn_by_hand_is_what_clicks_go_on_from(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    logic.createSegment()
    drawn = np.zeros((40, 50, 60), bool)
    drawn[10:14, 10:20, 10:20] = True
    draw(logic, drawn)
    click(logic, 40, 30, 25)
    assert (voxels(logic) & drawn).sum() == drawn.sum()
    assert voxels(logic)[25, 30, 40]
    assert transport.requests[-1].mask is not None
    logic.undo()
    assert np.array_equal(voxels(logic), drawn)
    assert not logic.canUndo


def test_an_edit_by_hand_is_a_step_and_lasts(logic: MSAMSegmentLogic) -> None:
    identifier = click(logic, 30, 25, 20)
    clicked = voxels(logic)
    edited = clicked.copy()
    edited[:, :, 30:] = False
    draw(logic, edited)
    click(logic, 10, 10, 10)
    assert not voxels(logic)[20, 25, 33]  # the stand-in would have drawn it, had it begun anew
    assert logic.undoDescription == "positive point"
    logic.undo()
    assert logic.undoDescription == "edit by hand"
    assert np.array_equal(voxels(logic), edited)
    logic.undo()
    assert np.array_equal(voxels(logic), clicked)
    assert [point["identifier"] for point in logic.points()] == [identifier]


def test_an_edit_by_hand_while_the_engine_works_is_not_overwritten(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    click(logic, 30, 25, 20)
    edited = voxels(logic)
    edited[:, :, 30:] = False
    transport.delay = 30
    logic.addPoint(at(logic, 10, 10, 10))
    transport.pump(10)
    draw(logic, edited)
    assert logic.waitUntilIdle(60)
    assert not voxels(logic)[20, 25, 33]
    assert voxels(logic)[10, 10, 10]


def test_an_edit_by_hand_survives_saving_and_loading(logic: MSAMSegmentLogic, tmp_path: Path) -> None:
    click(logic, 30, 25, 20)
    edited = voxels(logic)
    edited[:, :, 30:] = False
    draw(logic, edited)
    reload(logic, tmp_path / "scene.mrb")
    click(logic, 10, 10, 10)
    assert not voxels(logic)[20, 25, 33]
    assert (voxels(logic) & edited).sum() == edited.sum()


def test_points_follow_an_undo_by_segment_editor(
    logic: MSAMSegmentLogic, transport: StandInTransport, tmp_path: Path
) -> None:
    editor = slicer.vtkSlicerSegmentEditorLogic()
    parameters = logic.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetMRMLScene(logic.scene)
    editor.SetSegmentEditorNode(parameters)
    logic.createSegment()
    parameters.SetAndObserveSegmentationNode(logic.segmentation)
    logic.addBeforeWrite(lambda node, segmentId: editor.SaveStateForUndo())
    click(logic, 20, 25, 20)
    one = voxels(logic)
    click(logic, 40, 25, 20)
    two = voxels(logic)
    editor.Undo()
    assert np.array_equal(voxels(logic), one)
    transport.pump(100)
    assert [point["identifier"] for point in logic.points()] == [1]
    assert logic.canRedo
    editor.Redo()
    transport.pump(100)
    assert np.array_equal(voxels(logic), two)
    assert len(logic.points()) == 2
    editor.Undo()
    click(logic, 30, 40, 20)  # at once, before the points have followed
    assert [point["identifier"] for point in logic.points()] == [1, 3]
    assert not voxels(logic)[20, 25, 40]
    editor.Undo()
    transport.pump(100)
    reload(logic, tmp_path / "scene.mrb")
    assert [point["identifier"] for point in logic.points()] == [1]
    assert np.array_equal(voxels(logic), one)


def test_on_another_frame_points_and_mask_stay(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    click(logic, 30, 25, 20)
    mask = voxels(logic)
    slicer.util.arrayFromVolume(logic.inputVolume)[:] += 1
    slicer.util.arrayFromVolumeModified(logic.inputVolume)
    assert len(logic.points()) == 1
    click(logic, 45, 25, 20)
    assert len(logic.points()) == 2
    assert transport.requests[-1].mask is not None
    assert (voxels(logic) & mask).sum() == mask.sum()


def test_on_another_scan_the_mask_stays_and_the_points_are_not_shown(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    first, mask = logic.inputVolume, voxels(logic)
    other = volume_from(logic.scene, np.random.default_rng(0).integers(0, 9, (30, 30, 30)).astype(np.int16), np.eye(4))
    logic.setInputVolume(other)
    assert logic.points() == []
    logic.addPoint((5, 5, 5))
    assert logic.waitUntilIdle(60)
    assert len(logic.points()) == 1
    logic.undo()
    logic.undo()
    assert logic.points() == []
    logic.setInputVolume(first)
    assert len(logic.points()) == 1
    assert np.array_equal(voxels(logic), mask)


def test_a_segmentation_on_another_grid_gets_the_ball_where_it_was_clicked(logic: MSAMSegmentLogic) -> None:
    node = logic.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    coarse = volume_from(
        logic.scene,
        np.zeros((20, 30, 30), np.int16),
        [[-2, 0, 0, 29], [0, -2, 0, 28], [0, 0, 4, -38], [0, 0, 0, 1]],
    )
    node.SetReferenceImageGeometryParameterFromVolumeNode(coarse)
    logic.setSegmentation(node)
    place = at(logic, 30, 25, 20)
    logic.addPoint(place)
    assert logic.waitUntilIdle(60)
    k, j, i = np.nonzero(readMask(node, logic.selectedSegment).whole((30, 30, 20)))
    matrix = vtk.vtkMatrix4x4()
    coarse.GetIJKToRASMatrix(matrix)
    centre = matrix.MultiplyPoint((i.mean(), j.mean(), k.mean(), 1))[:3]
    assert np.all(np.abs(np.subtract(centre, place)) <= (1, 1, 2))


def test_nothing_is_lost_when_the_segmentation_is_chosen_again(logic: MSAMSegmentLogic) -> None:
    click(logic, 30, 25, 20)
    first, mask = logic.segmentation, voxels(logic)
    logic.createSegmentation()
    assert logic.points() == []
    assert not logic.canUndo
    with pytest.raises(SceneError):
        logic.undo()
    logic.setSegmentation(first)
    assert len(logic.points()) == 1
    logic.undo()
    assert not voxels(logic).any()
    logic.redo()
    assert np.array_equal(voxels(logic), mask)


def test_what_was_said_of_a_segment_is_not_said_of_another(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    click(logic, 30, 25, 20)
    first = logic.selectedSegment
    assert "voxels" in logic.status.words
    logic.createSegment()
    assert logic.status.words == "Click on the lesion."
    logic.selectSegment(first)
    assert logic.status.words == "Ready."
    transport.failNext("internal")
    click(logic, 40, 25, 20)
    logic.createSegment()
    assert logic.status.words == logic.lastError != ""  # until it is tried again


def test_nothing_is_said_in_another_scene_of_the_one_before(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    click(logic, 30, 25, 20)
    transport.failNext("internal")
    click(logic, 40, 25, 20)
    logic.scene.Clear(0)
    assert logic.status.words == "Choose a scan."
    assert logic.lastError == ""
    assert logic.lastResult is None
