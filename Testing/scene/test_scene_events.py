"""What the logic is told of the scene."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from MSAMSegmentLib.scene_events import SceneEvents
from MSAMSegmentLib.settings import SceneSettings
from MSAMSegmentLib.voxel_stamp import VOXELS_TAG


class Notes:
    """Notes what it is told, by the method's name."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def onSceneReplaced(self) -> None:
        self.told.append("scene")

    def onNodeLeaving(self, node: Any) -> None:
        self.told.append(f"leaving {node.GetName()}")

    def onSettingsModified(self) -> None:
        self.told.append("settings")

    def onVolumeModified(self) -> None:
        self.told.append("volume")

    def onSegmentsModified(self, segmentationNode: Any) -> None:
        self.told.append(f"segments {segmentationNode.GetSegmentation().GetNumberOfSegments()}")

    def onVoxelsModified(self, segmentationNode: Any) -> None:
        self.told.append("voxels")

    def onGridModified(self, segmentationNode: Any) -> None:
        self.told.append("grid")

    def take(self) -> list[str]:
        """What it was told since the last time, each once."""
        told, self.told = list(dict.fromkeys(self.told)), []
        return told


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def events(scene: slicer.vtkMRMLScene, notes: Notes) -> SceneEvents:
    return SceneEvents(scene, notes)


@pytest.fixture
def segmentation(scene: slicer.vtkMRMLScene, volumeNode: Any) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    return node


def test_settings_are_told_of_while_they_are_watched(scene: Any, events: SceneEvents, notes: Notes) -> None:
    choices = SceneSettings.of(scene)
    events.watchSettings(choices.parameterNode)
    choices.refineIterations = 4
    assert notes.take() == ["settings"]
    events.leave(choices.parameterNode)
    choices.refineIterations = 5
    assert notes.take() == []


def test_a_volume_that_moves_or_changes_is_told_of(
    scene: Any, events: SceneEvents, notes: Notes, volumeNode: Any
) -> None:
    events.watchVolume(volumeNode)
    slicer.util.arrayFromVolumeModified(volumeNode)
    assert notes.take() == ["volume"]
    volumeNode.SetSpacing(2, 2, 2)
    assert notes.take() == ["volume"]
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    volumeNode.SetAndObserveTransformNodeID(transform.GetID())
    assert notes.take() == ["volume"]
    transform.SetMatrixTransformToParent(vtk.vtkMatrix4x4())
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 5)
    transform.SetMatrixTransformToParent(matrix)
    assert notes.take() == ["volume"]
    events.watchVolume(None)
    volumeNode.SetSpacing(3, 3, 3)
    assert notes.take() == []


def test_another_reference_geometry_is_told_of(
    events: SceneEvents, notes: Notes, segmentation: Any, add_volume: Any
) -> None:
    events.watchSegmentation(segmentation)
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(add_volume(np.zeros((4, 5, 6), np.int16)))
    assert "grid" in notes.take()


def test_segments_are_told_of(events: SceneEvents, notes: Notes, segmentation: Any) -> None:
    events.watchSegmentation(segmentation)
    events.watchSegmentation(segmentation)
    name = segmentation.GetSegmentation().AddEmptySegment("", "One")
    assert "segments 1" in notes.take()
    segmentation.GetSegmentation().GetSegment(name).SetName("Other")
    assert notes.take() == ["segments 1"]
    segmentation.GetSegmentation().GetSegment(name).SetTag(VOXELS_TAG, "x")
    assert notes.take() == ["segments 1"]
    segmentation.GetDisplayNode().SetSegmentVisibility(name, False)
    assert notes.take() == ["segments 1"]
    segmentation.GetSegmentation().RemoveSegment(name)
    assert "segments 0" in notes.take()


def test_a_node_that_leaves_is_told_of_before_and_after(
    scene: Any, events: SceneEvents, notes: Notes, volumeNode: Any
) -> None:
    choices = SceneSettings.of(scene)
    choices.inputVolume = volumeNode
    events.watchSettings(choices.parameterNode)
    notes.take()
    scene.RemoveNode(volumeNode)
    told = notes.take()
    assert told[0] == "leaving Scan"
    assert told[-1] == "settings"
    assert choices.inputVolume is None


def test_closing_and_loading_are_told_of_once_at_their_end(
    scene: Any, events: SceneEvents, notes: Notes, volumeNode: Any, tmp_path: Path
) -> None:
    events.watchSettings(SceneSettings.of(scene).parameterNode)
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    notes.take()
    scene.Clear(0)
    assert notes.told.count("scene") == 1
    assert "settings" not in notes.told
    notes.take()
    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False)
    assert notes.told.count("scene") == 1
    assert notes.told[-1] == "scene"
    assert "settings" not in notes.told


def test_the_scene_keeps_nobody_alive(scene: Any, segmentation: Any) -> None:
    notes = Notes()
    events = SceneEvents(scene, notes)
    events.watchSegmentation(segmentation)
    gone = weakref.ref(notes)
    del notes, events
    gc.collect()
    assert gone() is None
    segmentation.GetSegmentation().AddEmptySegment("", "One")
