"""The markups nodes through what happens in the scene: transforms, deletion, import, saving, closing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import slicer
import vtk
from prompt_log import PromptLog

from MSAMSegmentLib.points import Point
from MSAMSegmentLib.prompt_nodes import find_nodes

A = Point(1, (30.0, 25.0, 20.0), True)
B = Point(2, (10.5, 12.25, 3.0), True)
C = Point(3, (40.0, 30.0, 30.0), False)


@pytest.fixture
def log(scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Iterator[PromptLog]:
    made = PromptLog(scene, volumeNode)
    yield made
    made.prompts.close()


def transform(scene: slicer.vtkMRMLScene, angle: float = 20.0) -> slicer.vtkMRMLLinearTransformNode:
    turn = vtk.vtkTransform()
    turn.Translate(7, -3, 11)
    turn.RotateWXYZ(angle, 1, 2, 3)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(turn.GetMatrix())
    return node


def test_points_follow_the_volumes_parent_transform_in_their_voxels(scene: slicer.vtkMRMLScene, log: PromptLog) -> None:
    log.show(A, B, C)
    first, second = transform(scene), transform(scene, 70)
    for parent in (first.GetID(), second.GetID(), None):
        log.scan.node.SetAndObserveTransformNodeID(parent)
        assert log.seen() == log.expected()
    log.scan.node.SetAndObserveTransformNodeID(first.GetID())
    log.prompts.nodes()[0].AddControlPointWorld(1.0, 2.0, 3.0)
    assert log.takeTold() == [("added", (1, 2, 3), True)]
    assert log.seen() == log.expected() and (True, (1, 2, 3)) in log.seen()
    second_volume_transform = vtk.vtkMatrix4x4()
    second_volume_transform.SetElement(0, 3, 50)
    first.SetMatrixTransformToParent(second_volume_transform)
    assert log.seen() == log.expected() and log.told == []


def test_points_stay_in_their_voxels_when_the_transform_is_hardened(scene: slicer.vtkMRMLScene, log: PromptLog) -> None:
    log.show(A, C)
    log.scan.node.SetAndObserveTransformNodeID(transform(scene).GetID())
    log.scan.node.HardenTransform()
    assert log.seen() == log.expected() and log.told == []


def test_a_deleted_node_comes_back_with_its_points(scene: slicer.vtkMRMLScene, log: PromptLog) -> None:
    log.show(A, B, C)
    for index in (0, 1, 0):
        scene.RemoveNode(log.prompts.nodes()[index])
        assert log.seen() == log.expected() and len(log.seen()) == 3
    assert log.told == []
    log.prompts.nodes()[0].RemoveNthControlPoint(0)
    assert log.takeTold() == [("removed", 1)]


def test_nodes_that_are_there_are_used_and_never_doubled(scene: slicer.vtkMRMLScene, log: PromptLog) -> None:
    log.show(A)
    nodes = log.prompts.nodes()
    log.prompts.close()
    again = PromptLog(scene, log.scan.node)
    assert again.prompts.nodes() == nodes
    again.show(B, C)
    assert again.seen() == again.expected() and again.told == []
    again.prompts.close()


def test_an_import_with_such_nodes_leaves_one_of_each(
    scene: slicer.vtkMRMLScene, log: PromptLog, tmp_path: Path
) -> None:
    log.show(A, C)
    positive = log.prompts.nodes()[0]
    positive.SetSaveWithScene(True)
    positive.GetDisplayNode().SetSaveWithScene(True)
    path = str(tmp_path / "scene.mrb")
    assert scene.WriteToMRB(path)
    log.show(B)
    assert scene.ReadFromMRB(path, False)
    assert [len(find_nodes(scene, sign)) for sign in (True, False)] == [1, 1]
    assert log.seen() == log.expected() and log.told == []


def test_nodes_are_not_saved_with_the_scene(scene: slicer.vtkMRMLScene, log: PromptLog, tmp_path: Path) -> None:
    log.show(A, C)
    path = tmp_path / "scene.mrml"
    scene.SetURL(str(path))
    scene.Commit()
    assert "Scan" in path.read_text() and "Positive points" not in path.read_text()
    assert "MarkupsFiducialDisplay" not in path.read_text()


def test_closing_the_scene_forgets_all_and_the_next_points_are_shown(
    scene: slicer.vtkMRMLScene, log: PromptLog, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    log.show(A, C)
    scene.Clear(0)
    assert find_nodes(scene, True) == [] and log.prompts.points == () and log.told == []
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    log.scan.node = volume
    log.show(B)
    assert log.seen() == log.expected() and len(log.seen()) == 1


def test_a_removed_volume_takes_its_points_from_the_views(scene: slicer.vtkMRMLScene, log: PromptLog) -> None:
    log.show(A, C)
    scene.RemoveNode(log.scan.node)
    assert log.prompts.points == () and log.told == []
    log.prompts.show([], None)
    assert log.seen() == set()


def test_nothing_is_told_after_close(scene: slicer.vtkMRMLScene, log: PromptLog) -> None:
    log.show(A)
    node = log.prompts.nodes()[0]
    log.prompts.close()
    node.AddControlPoint(1.0, 2.0, 3.0)
    node.SetNthControlPointPosition(0, 9.0, 9.0, 9.0)
    scene.RemoveNode(node)
    assert log.told == [] and find_nodes(scene, True) == []
