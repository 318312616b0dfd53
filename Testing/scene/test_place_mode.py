"""Place mode goes on and off in the scene's own nodes, and whoever ends it is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import slicer
from prompt_log import PromptLog

from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.place_mode import PlaceMode
from MSAMSegmentLib.points import Point


@pytest.fixture
def log(scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Iterator[PromptLog]:
    made = PromptLog(scene, volumeNode)
    yield made
    made.prompts.close()


@pytest.fixture
def told() -> list[bool | None]:
    return []


@pytest.fixture
def mode(scene: slicer.vtkMRMLScene, log: PromptLog, told: list[bool | None]) -> Iterator[PlaceMode]:
    made = PlaceMode(scene, log.prompts, told.append)
    yield made
    made.close()


@pytest.fixture
def interaction(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLInteractionNode:
    return scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")


@pytest.fixture
def selection(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSelectionNode:
    return scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")


def test_start_and_stop_are_seen_in_the_scene(
    mode: PlaceMode,
    log: PromptLog,
    interaction: slicer.vtkMRMLInteractionNode,
    selection: slicer.vtkMRMLSelectionNode,
    told: list[bool | None],
) -> None:
    assert mode.active is None
    for positive in (True, False):
        mode.start(positive)
        assert mode.active is positive
        assert interaction.GetCurrentInteractionMode() == interaction.Place and interaction.GetPlaceModePersistence()
        assert selection.GetActivePlaceNodeID() == log.prompts.nodes()[0 if positive else 1].GetID()
        assert selection.GetActivePlaceNodeClassName() == "vtkMRMLMarkupsFiducialNode"
    mode.stop()
    assert mode.active is None and interaction.GetCurrentInteractionMode() == interaction.ViewTransform
    assert told == []


def test_the_user_ending_it_is_told_once(
    mode: PlaceMode, interaction: slicer.vtkMRMLInteractionNode, told: list[bool | None]
) -> None:
    mode.start(True)
    interaction.SwitchToViewTransformMode()
    assert mode.active is None and told == [None]
    interaction.SetCurrentInteractionMode(interaction.AdjustWindowLevel)
    assert told == [None]


def test_the_tool_bar_taking_it_up_again_is_told(
    mode: PlaceMode, interaction: slicer.vtkMRMLInteractionNode, told: list[bool | None]
) -> None:
    mode.start(False)
    interaction.SwitchToViewTransformMode()
    interaction.SwitchToSinglePlaceMode()
    assert mode.active is False and told == [None, False]


@pytest.mark.parametrize("className", ["vtkMRMLMarkupsLineNode", "vtkMRMLMarkupsFiducialNode"])
def test_another_module_placing_its_own_ends_ours_and_stop_leaves_it_alone(
    className: str,
    mode: PlaceMode,
    scene: slicer.vtkMRMLScene,
    interaction: slicer.vtkMRMLInteractionNode,
    selection: slicer.vtkMRMLSelectionNode,
    told: list[bool | None],
) -> None:
    mode.start(True)
    other = scene.AddNewNodeByClass(className)
    selection.SetReferenceActivePlaceNodeClassName(className)
    selection.SetReferenceActivePlaceNodeID(other.GetID())
    assert mode.active is None and told == [None]
    mode.stop()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    assert selection.GetActivePlaceNodeID() == other.GetID()


def test_placing_goes_on_when_the_node_is_deleted_and_made_again(
    mode: PlaceMode, log: PromptLog, scene: slicer.vtkMRMLScene, selection: slicer.vtkMRMLSelectionNode
) -> None:
    log.show(Point(1, (30.0, 25.0, 20.0), True))
    mode.start(True)
    scene.RemoveNode(log.prompts.nodes()[0])
    assert mode.active is True
    assert selection.GetActivePlaceNodeID() == log.prompts.nodes()[0].GetID()


def test_placing_goes_on_when_the_nodes_are_deleted_in_a_batch(
    mode: PlaceMode, log: PromptLog, scene: slicer.vtkMRMLScene
) -> None:
    mode.start(False)
    scene.StartState(scene.BatchProcessState)
    for node in log.prompts.nodes():
        scene.RemoveNode(node)
    scene.EndState(scene.BatchProcessState)
    assert mode.active is False and len(log.prompts.existingNodes()) == 2


def test_closing_the_scene_ends_it_and_it_can_start_again(
    mode: PlaceMode, scene: slicer.vtkMRMLScene, told: list[bool | None]
) -> None:
    mode.start(True)
    scene.Clear(0)
    assert mode.active is None and told == [None]
    mode.start(False)
    assert mode.active is False


def test_nothing_is_told_after_close(
    mode: PlaceMode, interaction: slicer.vtkMRMLInteractionNode, told: list[bool | None]
) -> None:
    mode.start(True)
    mode.close()
    interaction.SwitchToPersistentPlaceMode()
    interaction.SwitchToViewTransformMode()
    assert told == []


def test_a_scene_without_mouse_modes_says_so(log: PromptLog) -> None:
    bare = slicer.vtkMRMLScene()
    mode = PlaceMode(bare, log.prompts)
    assert mode.active is None
    mode.stop()
    with pytest.raises(SceneError, match="mouse modes"):
        mode.start(True)
