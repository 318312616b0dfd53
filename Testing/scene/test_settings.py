"""The choices that the scene remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import slicer
from hypothesis import HealthCheck, given, settings

from MSAMSegmentLib.masking import Overwrite
from MSAMSegmentLib.settings import SceneSettings


def test_what_was_never_set_has_its_default(scene: slicer.vtkMRMLScene) -> None:
    choices = SceneSettings.of(scene)
    assert choices.inputVolume is None
    assert choices.refineIterations == 3
    assert choices.overwrite is Overwrite.KEEP_OTHERS
    assert choices.show3D is True
    assert choices.previewRefinement is False
    assert choices.writeOptions().intensityRange is None


def test_there_is_one_parameter_node_that_slicer_finds_by_its_module(scene: slicer.vtkMRMLScene) -> None:
    node = SceneSettings.of(scene).parameterNode
    assert SceneSettings.of(scene).parameterNode is node
    assert scene.GetSingletonNode("MSAMSegment", "vtkMRMLScriptedModuleNode") is node
    assert node.GetAttribute("ModuleName") == "MSAMSegment"


def test_the_texts_are_those_of_slicers_parameter_node_wrapper(scene: slicer.vtkMRMLScene, volumeNode: Any) -> None:
    choices = SceneSettings.of(scene)
    choices.inputVolume = volumeNode
    choices.refineIterations = 5
    choices.intensityLow = -12.5
    choices.show3D = False
    choices.previewRefinement = True
    choices.overwrite = Overwrite.TAKE_FROM_OTHERS
    node = choices.parameterNode
    assert node.GetNodeReference("inputVolume") is volumeNode
    assert node.HasParameter("inputVolume")
    texts = {name: node.GetParameter(name) for name in ("refineIterations", "intensityLow", "show3D", "overwrite")}
    assert texts == {
        "refineIterations": "5",
        "intensityLow": "-12.5",
        "show3D": "False",
        "overwrite": "TAKE_FROM_OTHERS",
    }
    assert node.GetParameter("previewRefinement") == "True"


@pytest.mark.parametrize("name", ["refineIterations", "intensityHigh", "overwrite"])
def test_what_cannot_be_read_counts_as_not_set(scene: slicer.vtkMRMLScene, name: str) -> None:
    choices = SceneSettings.of(scene)
    default = getattr(choices, name)
    choices.parameterNode.SetParameter(name, "of another version")
    choices.parameterNode.SetParameter("editableArea", "Somewhere")
    assert getattr(choices, name) == default
    assert choices.writeOptions().editableArea == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere


@given(low=st.floats(allow_nan=False, allow_infinity=False), iterations=st.integers(1, 100), name=st.text(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_comes_back(scene: slicer.vtkMRMLScene, low: float, iterations: int, name: str) -> None:
    choices = SceneSettings.of(scene)
    name = name.replace("\0", "").encode("utf-8", "ignore").decode()
    choices.intensityLow, choices.refineIterations, choices.maskSegmentId = low, iterations, name
    again = SceneSettings.of(scene)
    assert (again.intensityLow, again.refineIterations, again.maskSegmentId) == (low, iterations, name)


def test_they_are_saved_with_the_scene_and_a_closed_scene_has_the_defaults(
    scene: slicer.vtkMRMLScene, volumeNode: Any, tmp_path: Path
) -> None:
    choices = SceneSettings.of(scene)
    choices.inputVolume, choices.refineIterations = volumeNode, 9
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene.Clear(0)
    assert SceneSettings.of(scene).refineIterations == 3
    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    assert SceneSettings.of(scene).refineIterations == 9
    assert SceneSettings.of(scene).inputVolume.GetName() == "Scan"
