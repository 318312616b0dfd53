"""What other modules do to a segmentation that is worked on: other grids, other contents, Slicer's own undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from logic_fixtures import at, click, logic, transport, voxels
from segment_voxels import put, taken
from shapes import affine, set_transform
from stand_in_engine import StandInTransport
from volume_nodes import volume_from

from msam.errors import PromptError
from MSAMSegmentLib import LogicEvent, MSAMSegmentLogic
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.segments import readMask

__all__ = ["logic", "transport"]

SHAPE_IJK = (60, 50, 40)
# Ten voxels more than the scan on each side.
WIDER_IJK = (80, 70, 60)
INNER = (slice(10, 50), slice(10, 60), slice(10, 70))


def identifiers(logic: MSAMSegmentLogic, segmentId: str | None = None) -> list[int]:
    return [point["identifier"] for point in logic.points(segmentId)]


def widen(logic: MSAMSegmentLogic) -> None:
    """Gives the segmentation another reference geometry, as Segment Editor does."""
    matrix = [[-1, 0, 0, 40], [0, -1, 0, 35], [0, 0, 2, -60], [0, 0, 0, 1]]
    wider = volume_from(logic.scene, np.zeros(WIDER_IJK[::-1], np.int16), matrix, "Wider")
    logic.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(wider)


def inner(logic: MSAMSegmentLogic) -> np.ndarray:
    """The mask of the selected segment where the scan is, after `widen`; there must be nothing beyond."""
    whole = readMask(logic.segmentation, logic.selectedSegment).whole(WIDER_IJK)
    assert whole.sum() == whole[INNER].sum()
    return whole[INNER]


@pytest.fixture
def editor(logic: MSAMSegmentLogic) -> Callable[[], Any]:
    """Makes what Segment Editor does its own undo with, told before voxels change as the module tells it."""

    def make() -> Any:
        editor = slicer.vtkSlicerSegmentEditorLogic()
        parameters = logic.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        editor.SetMRMLScene(logic.scene)
        editor.SetSegmentEditorNode(parameters)
        parameters.SetAndObserveSegmentationNode(logic.segmentation)
        logic.addBeforeWrite(lambda node, segmentId: editor.SaveStateForUndo())
        return editor

    return make


# Another grid


def test_another_reference_geometry_moves_no_voxel_even_by_undo(logic: MSAMSegmentLogic) -> None:
    heard: list[LogicEvent] = []
    click(logic, 20, 25, 20)
    click(logic, 40, 25, 20)
    two = voxels(logic)
    logic.addListener(heard.append)
    widen(logic)
    assert LogicEvent.HISTORY in heard
    assert not logic.canUndo  # what it remembers is counted in voxels of the old grid
    assert np.array_equal(inner(logic), two)
    click(logic, 30, 40, 20)
    assert (inner(logic) & two).sum() == two.sum()
    assert inner(logic)[20, 40, 30]
    logic.undo()
    assert np.array_equal(inner(logic), two)
    assert identifiers(logic) == [1, 2]


def test_what_lies_beneath_the_clicks_goes_to_another_reference_geometry(logic: MSAMSegmentLogic) -> None:
    logic.createSegment()
    drawn = np.zeros(SHAPE_IJK[::-1], bool)
    drawn[10:14, 10:20, 10:20] = True
    put(logic.segmentation, logic.selectedSegment, drawn, logic.inputVolume)
    identifier = click(logic, 40, 30, 25)
    widen(logic)
    logic.removePoint(identifier)
    assert logic.waitUntilIdle(60)
    assert np.array_equal(inner(logic), drawn)


def test_a_click_beyond_the_grid_of_the_segmentation_is_refused(logic: MSAMSegmentLogic) -> None:
    node = logic.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    part = volume_from(
        logic.scene, np.zeros((20, 20, 20), np.int16), [[-1, 0, 0, 0], [0, -1, 0, 25], [0, 0, 2, -40], [0, 0, 0, 1]]
    )
    node.SetReferenceImageGeometryParameterFromVolumeNode(part)  # the first voxels (30 to 50, 0 to 20, 0 to 20)
    logic.setSegmentation(node)
    with pytest.raises(PromptError, match="beyond the grid"):
        logic.addPoint(at(logic, 10, 10, 10))
    assert logic.segmentIds() == []
    identifier = click(logic, 40, 10, 10)
    logic.addPoint(at(logic, 10, 10, 10), positive=False)
    with pytest.raises(PromptError, match="beyond the grid"):
        logic.movePoint(identifier, at(logic, 10, 10, 10))
    assert logic.waitUntilIdle(60)
    assert "left out" not in logic.status.words
    click(logic, 31, 10, 10)
    assert "% of it lies beyond the grid of the segmentation and was left out" in logic.status.words


def test_a_loaded_segmentation_without_a_grid_can_be_measured_exported_and_cleared(
    logic: MSAMSegmentLogic, tmp_path: Path
) -> None:
    drawn = np.zeros(SHAPE_IJK[::-1], bool)
    drawn[10:14, 10:20, 10:20] = True

    def load() -> str:
        node = logic.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentId = str(node.GetSegmentation().AddEmptySegment("Loaded"))
        put(node, segmentId, drawn, logic.inputVolume)
        logic.setSegmentation(node)
        return segmentId

    assert logic.measurements(load()).voxels == 400
    load()
    assert logic.measurementTable().GetTable().GetNumberOfRows() == 1
    assert logic.exportSegments(load(), tmp_path / "loaded.nrrd")
    load()
    with pytest.raises(SceneError, match="nothing to undo"):
        logic.undo()
    load()
    logic.clearPoints()
    assert not voxels(logic).any()
    logic.undo()
    assert np.array_equal(voxels(logic), drawn)


@pytest.mark.parametrize("hardens_both", [True, False])
def test_points_stay_when_a_transform_is_hardened(logic: MSAMSegmentLogic, hardens_both: bool) -> None:
    click(logic, 30, 25, 20)
    transform = logic.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    set_transform(transform, affine((1, 1, 1), (0, 0, 30), (5, 0, 0)))
    for node in (logic.inputVolume, logic.segmentation) if hardens_both else (logic.inputVolume,):
        node.SetAndObserveTransformNodeID(transform.GetID())
        node.HardenTransform()
    (point,) = logic.points()
    assert point["positionRas"] == pytest.approx(at(logic, 30, 25, 20))
    click(logic, 35, 25, 20)
    assert identifiers(logic) == [1, 2]


# Other contents


def test_the_points_of_a_sequence_of_segmentations_change_with_its_frames(
    logic: MSAMSegmentLogic, transport: StandInTransport, tmp_path: Path
) -> None:
    frames, masks = [], []
    for i in (30, 45):
        click(logic, i, 25, 20)
        frames.append(slicer.vtkMRMLSegmentationNode())
        frames[-1].CopyContent(logic.segmentation)
        masks.append(voxels(logic))
    assert logic.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    assert logic.scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    click(logic, 10, 10, 10)
    logic.removePoint(1)
    assert logic.waitUntilIdle(60)
    for frame, expected in ((1, [1, 2]), (0, [1])):
        logic.segmentation.CopyContent(frames[frame])  # as the browser of a sequence does
        transport.pump(100)
        assert identifiers(logic) == expected
        assert not logic.canUndo  # what was done to another frame
    logic.segmentation.CopyContent(frames[1])
    click(logic, 20, 40, 20)  # at once
    assert identifiers(logic) == [1, 2, 3]
    logic.undo()
    assert np.array_equal(voxels(logic), masks[1])
    assert identifiers(logic) == [1, 2]


def test_a_scan_that_has_become_unusable_is_told_in_the_status(logic: MSAMSegmentLogic) -> None:
    logic.createSegment()
    click(logic, 30, 25, 20)
    logic.undo()
    logic.redo()
    image = logic.inputVolume.GetImageData()
    logic.inputVolume.SetAndObserveImageData(None)
    assert logic.points() == []
    assert "holds no voxels" in logic.status.words
    logic.inputVolume.SetAndObserveImageData(image)
    assert identifiers(logic) == [1]
    assert logic.status.words == "Ready."
    grid = slicer.vtkOrientedGridTransform()
    displacement = vtk.vtkImageData()
    displacement.SetDimensions(3, 3, 3)
    displacement.AllocateScalars(vtk.VTK_DOUBLE, 3)
    displacement.GetPointData().GetScalars().Fill(1.0)
    grid.SetDisplacementGridData(displacement)
    bent = logic.scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    bent.SetAndObserveTransformToParent(grid)
    logic.inputVolume.SetAndObserveTransformNodeID(bent.GetID())
    assert logic.points() == []
    assert "not linear" in logic.status.words


def test_a_segmentation_that_is_made_of_surfaces_by_now_is_told_of_when_somebody_goes_on(
    logic: MSAMSegmentLogic, transport: StandInTransport
) -> None:
    click(logic, 30, 25, 20)
    logic.segmentation.CreateClosedSurfaceRepresentation()
    logic.segmentation.SetSourceRepresentationToClosedSurface()
    transport.pump(100)  # nothing is raised where nobody has asked
    assert logic.lastError == ""
    for act in (lambda: logic.addPoint(at(logic, 20, 25, 20)), logic.undo, logic.measurements):
        with pytest.raises(SceneError, match="made of surfaces"):
            act()


# Slicer's own undo


def test_slicers_undo_of_one_segment_while_another_is_segmented(
    logic: MSAMSegmentLogic, transport: StandInTransport, editor: Callable[[], Any]
) -> None:
    first, second = logic.createSegment(), logic.createSegment()
    undo = editor()
    click(logic, 20, 25, 20)
    one = voxels(logic, second)
    click(logic, 26, 25, 20)
    transport.delay = 40
    logic.selectSegment(first)
    logic.addPoint(at(logic, 45, 25, 20))
    transport.pump(5)
    undo.Undo()
    assert logic.waitUntilIdle(60)
    transport.pump(100)
    assert np.array_equal(taken(logic.segmentation, second, SHAPE_IJK), one)
    assert identifiers(logic, second) == [1]
    assert taken(logic.segmentation, first, SHAPE_IJK)[20, 25, 45]
    logic.undo()
    assert np.array_equal(voxels(logic, second), one)
    assert not voxels(logic, first).any()


def test_points_follow_undo_in_two_segmentations_at_once(logic: MSAMSegmentLogic, transport: StandInTransport) -> None:
    segmentations = []
    for _ in range(2):
        logic.createSegmentation()
        logic.createSegment()
        click(logic, 20, 25, 20)
        one = voxels(logic)
        click(logic, 40, 25, 20)
        segmentations.append((logic.segmentation, logic.selectedSegment, one))
    for node, segmentId, one in segmentations:
        put(node, segmentId, one, logic.inputVolume)
    transport.pump(100)
    for node, _, _ in segmentations:
        logic.setSegmentation(node)
        assert identifiers(logic) == [1]


def test_slicers_redo_lasts_after_its_undo_of_everything(
    logic: MSAMSegmentLogic, transport: StandInTransport, editor: Callable[[], Any]
) -> None:
    logic.createSegment()
    logic.createSegment()
    undo, masks = editor(), [voxels(logic)]
    for i in (15, 30, 45):
        click(logic, i, 25, 20)
        masks.append(voxels(logic))
    for turn, counts in ((undo.Undo, (2, 1, 0)), (undo.Redo, (1, 2, 3))):
        for count in counts:
            turn()
            transport.pump(100)
            assert np.array_equal(voxels(logic), masks[count])
            assert len(logic.points()) == count


def test_a_segment_that_slicers_undo_brings_back_has_its_points(
    logic: MSAMSegmentLogic, transport: StandInTransport, editor: Callable[[], Any]
) -> None:
    segmentId = logic.createSegment()
    undo = editor()
    click(logic, 30, 25, 20)
    mask = voxels(logic)
    undo.SaveStateForUndo()
    logic.removeSegment(segmentId)
    assert logic.selectedSegment == ""
    undo.Undo()
    transport.pump(100)
    logic.selectSegment(segmentId)
    assert np.array_equal(voxels(logic), mask)
    click(logic, 45, 25, 20)
    assert identifiers(logic) == [1, 2]
    assert (voxels(logic) & mask).sum() == mask.sum()


def test_slicers_undo_while_the_engine_works_is_seen_in_the_views(
    logic: MSAMSegmentLogic, transport: StandInTransport, editor: Callable[[], Any]
) -> None:
    logic.createSegment()
    undo = editor()
    click(logic, 20, 25, 20)
    click(logic, 40, 25, 20)
    transport.delay = 20
    logic.addPoint(at(logic, 30, 40, 20))
    transport.pump(5)
    undo.Undo()
    assert logic.waitUntilIdle(60)
    assert identifiers(logic) == [1, 3]
    positive, _ = logic._prompts.nodes()
    assert positive.GetNumberOfControlPoints() == 2


def test_slicers_undo_to_before_the_first_point_takes_a_point_that_waits(
    logic: MSAMSegmentLogic, transport: StandInTransport, editor: Callable[[], Any], tmp_path: Path
) -> None:
    logic.createSegment()
    undo = editor()
    undo.SaveStateForUndo()
    click(logic, 20, 25, 20, positive=False)
    undo.Undo()
    transport.pump(100)
    assert identifiers(logic) == []
    assert logic.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    assert logic.scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    assert identifiers(logic) == []
