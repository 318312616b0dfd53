"""The panel while scenes, volumes and modules come and go."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from opened_panel import CENTRE, Opened


def test_without_a_volume_the_panel_offers_some(opened: Opened) -> None:
    assert opened.is_shown("emptyFrame")
    assert opened.status == "Choose a scan."
    opened.click("openScanButton")
    assert opened.dialogs.infos == ["add data"]
    opened.click("phantomButton")
    assert not opened.is_shown("emptyFrame")
    assert opened.logic.inputVolume is not None
    assert opened.dialogs.views["background"] is opened.logic.inputVolume
    assert opened.status == "Click on the lesion."


def test_what_the_scene_remembers_is_wrapped_once(opened: Opened, scene: Any) -> None:
    """A wrapper that has been bound stays with its node, and writes to it whenever it is emptied."""
    wrapper = opened.logic.getParameterNode()
    for _ in range(2):
        opened.exit()
        opened.enter()
    opened.ui.iterationsSpinBox.value = 5
    assert wrapper.refineIterations == 5
    scene.Clear(0)
    opened.wait()
    assert opened.logic.getParameterNode() is opened.widget._parameterNode is wrapper
    assert wrapper.refineIterations == opened.ui.iterationsSpinBox.value == 3
    opened.ui.iterationsSpinBox.value = 4
    assert opened.logic.settings.refineIterations == 4


def test_a_scan_that_is_loaded_later_is_taken_up(opened: Opened, volumeNode: Any) -> None:
    assert opened.logic.inputVolume is None
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    assert not opened.is_shown("emptyFrame")
    assert opened.ui.inputVolumeSelector.currentNode() is volumeNode


def test_a_scan_that_comes_with_many_others_is_taken_up_when_all_are_there(
    opened: Opened, add_volume: Any, scene: Any
) -> None:
    scene.StartState(scene.BatchProcessState)
    scan = add_volume(np.zeros((20, 20, 20), np.int16))
    opened.pass_time(0.5)
    assert opened.logic.inputVolume is None
    scene.EndState(scene.BatchProcessState)
    opened.wait(lambda: opened.logic.inputVolume is scan)


def test_what_another_module_hides_is_no_scan_to_begin_with(opened: Opened, add_volume: Any) -> None:
    hidden = add_volume(np.zeros((20, 20, 20), np.int16), name="Of another module")
    hidden.SetHideFromEditors(True)
    opened.pass_time(0.5)
    assert opened.logic.inputVolume is None
    scan = add_volume(np.zeros((20, 20, 20), np.int16), name="Scan")
    opened.wait(lambda: opened.logic.inputVolume is scan)


def test_with_two_volumes_the_user_chooses(clicked: Opened, add_volume: Any, volumeNode: Any) -> None:
    other = add_volume(slicer.util.arrayFromVolume(volumeNode) + 1, name="Other")
    clicked.pass_time(0.5)
    assert clicked.logic.inputVolume is volumeNode
    clicked.ui.inputVolumeSelector.setCurrentNode(other)
    assert clicked.logic.inputVolume is other
    assert clicked.dialogs.views["background"] is other
    assert clicked.logic.points() == []
    clicked.ui.inputVolumeSelector.setCurrentNode(volumeNode)
    assert len(clicked.logic.points()) == 1


def test_the_views_follow_the_choice_there_and_back(clicked: Opened, add_volume: Any, volumeNode: Any) -> None:
    view = clicked.logic.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    view.SetBackgroundVolumeID(volumeNode.GetID())
    other = add_volume(slicer.util.arrayFromVolume(volumeNode) + 1, name="Other")
    for node in (other, volumeNode, other):
        clicked.ui.inputVolumeSelector.setCurrentNode(node)
        assert view.GetBackgroundVolumeID() == node.GetID()
    view.SetForegroundVolumeID(volumeNode.GetID())
    clicked.ui.inputVolumeSelector.setCurrentNode(volumeNode)
    assert view.GetBackgroundVolumeID() == other.GetID(), "it is shown already, over the other one"


def test_a_volume_that_cannot_be_segmented_is_explained(opened: Opened, add_volume: Any, volumeNode: Any) -> None:
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    flat = add_volume(slicer.util.arrayFromVolume(volumeNode)[:1].copy(), name="Flat")
    opened.ui.inputVolumeSelector.setCurrentNode(flat)
    opened.click("addSegmentButton")
    assert opened.status.endswith(".")
    assert opened.logic.segmentIds() == []


def test_a_volume_deleted_while_the_engine_runs_ends_the_run_quietly(clicked: Opened, volumeNode: Any) -> None:
    clicked.transport.delay = 200
    clicked.logic.addPoint((8.0, 0.0, 0.0))
    clicked.transport.pump(20)
    assert clicked.logic.isBusy
    clicked.logic.scene.RemoveNode(volumeNode)
    clicked.settle()
    assert clicked.logic.lastError == ""
    assert clicked.is_shown("emptyFrame")
    assert not clicked.dialogs.errors


def test_a_segmentation_deleted_while_the_engine_runs(clicked: Opened) -> None:
    clicked.transport.delay = 200
    clicked.logic.addPoint((8.0, 0.0, 0.0))
    clicked.transport.pump(20)
    clicked.logic.scene.RemoveNode(clicked.logic.segmentation)
    clicked.settle()
    assert clicked.logic.lastError == ""
    assert clicked.ui.segmentsTable.segmentationNode() is None
    clicked.logic.addPoint(CENTRE)
    clicked.settle()
    assert "mL" in clicked.ui.volumeValue.text


def test_closing_the_scene_empties_the_panel_and_the_next_scan_works(
    clicked: Opened, add_volume: Any, volumeNode: Any
) -> None:
    voxels = slicer.util.arrayFromVolume(volumeNode).copy()
    clicked.logic.scene.Clear(0)
    clicked.settle()
    assert clicked.is_shown("emptyFrame")
    assert clicked.ui.pointsList.count == 0
    assert clicked.ui.segmentsTable.segmentationNode() is None
    add_volume(voxels)
    clicked.wait(lambda: clicked.logic.inputVolume is not None)
    clicked.click("positiveButton")
    clicked.logic.addPoint((30.0, 25.0, 20.0))
    clicked.settle()
    clicked.ui.iterationsSpinBox.value = 5
    assert clicked.logic.settings.refineIterations == 5


def test_a_scene_that_was_saved_comes_back_into_the_panel(clicked: Opened, tmp_path: Path) -> None:
    scene = clicked.logic.scene
    clicked.ui.iterationsSpinBox.value = 6
    volume = clicked.ui.volumeValue.text
    for node in (clicked.logic.inputVolume, clicked.logic.segmentation):
        node.AddDefaultStorageNode()
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.SetRootDirectory(str(tmp_path))
    for node, name in ((clicked.logic.inputVolume, "scan.nrrd"), (clicked.logic.segmentation, "lesions.seg.nrrd")):
        node.GetStorageNode().SetFileName(str(tmp_path / name))
        assert node.GetStorageNode().WriteData(node)
    assert scene.Commit()
    scene.Clear(0)
    assert clicked.logic.segmentation is None
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Connect()
    clicked.settle()
    assert clicked.ui.volumeValue.text == volume
    assert clicked.ui.pointsList.count == 1
    assert clicked.ui.iterationsSpinBox.value == 6
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    clicked.settle()
    assert clicked.logic.lastError == ""


def test_a_scene_that_is_added_to_this_one_leaves_the_choices_alone(clicked: Opened, tmp_path: Path) -> None:
    """Slicer's node selectors forget what is chosen meanwhile, and would tell the scene so (issues 4570 and 7492)."""
    other = slicer.vtkMRMLScene()
    other.AddNewNodeByClass("vtkMRMLTextNode", "Something else")
    other.SetURL(str(tmp_path / "other.mrml"))
    assert other.Commit()
    scene, scan, segmentation = clicked.logic.scene, clicked.logic.inputVolume, clicked.logic.segmentation
    scene.SetURL(str(tmp_path / "other.mrml"))
    assert scene.Import()
    clicked.settle()
    assert scene.GetFirstNodeByName("Something else") is not None
    assert (clicked.logic.inputVolume, clicked.logic.segmentation) == (scan, segmentation)
    assert clicked.ui.inputVolumeSelector.currentNode() is scan
    assert clicked.ui.segmentationSelector.currentNode() is segmentation
    assert clicked.ui.pointsList.count == 1
    clicked.ui.iterationsSpinBox.value = 4
    assert clicked.logic.settings.refineIterations == 4


def test_leaving_and_coming_back(clicked: Opened) -> None:
    clicked.click("positiveButton")
    assert len(clicked.shortcuts) == 6  # with Escape, while points are placed
    clicked.exit()
    assert clicked.logic.placing is None
    assert clicked.shortcuts == []
    clicked.exit()
    clicked.enter()
    assert len(clicked.shortcuts) == 5
    clicked.enter()
    assert len(clicked.shortcuts) == 5
    clicked.ui.iterationsSpinBox.value = 4
    assert clicked.logic.settings.refineIterations == 4
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    clicked.settle()
    assert clicked.ui.pointsList.count == 2
    assert len(clicked.transport.processes) == 1  # the engine stays


def test_what_is_under_way_goes_on_while_another_module_is_open(clicked: Opened) -> None:
    clicked.transport.delay = 100
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    clicked.exit()
    clicked.settle()
    clicked.enter()
    clicked.settle()
    assert clicked.ui.pointsList.count == 2
    assert not clicked.logic.status.isBusy


def test_the_module_is_read_again_in_developer_mode(clicked: Opened) -> None:
    before, name = clicked.widget, clicked.logic.inputVolume.GetName()
    old_table = clicked.ui.segmentsTable
    clicked.widget.onReload()
    assert clicked.widget is not before
    assert before.panel is None
    assert old_table.segmentationNode() is None
    clicked.settle()
    assert clicked.logic.inputVolume.GetName() == name
    assert clicked.ui.pointsList.count == 1
    assert len(clicked.shortcuts) == 5
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    clicked.settle()
    assert clicked.logic.lastError == ""
    assert clicked.ui.pointsList.count == 2
    clicked.exit()
    assert clicked.shortcuts == []
    clicked.enter()
    assert len(clicked.shortcuts) == 5
    clicked.click("positiveButton")
    assert clicked.logic.placing is True
    assert sys.modules["MSAMSegment"].MSAMSegmentWidget is type(clicked.widget)


def test_a_widget_that_was_never_set_up_can_be_entered_left_and_cleaned_up(opened: Opened) -> None:
    widget = opened.module.MSAMSegmentWidget(opened.widget.parent)
    slicer.modules.MSAMSegmentWidget, kept = widget, slicer.modules.MSAMSegmentWidget
    widget.enter()
    widget.exit()
    widget.cleanup()
    slicer.modules.MSAMSegmentWidget = kept


def test_a_widget_without_a_place_of_its_own_makes_one_and_is_set_up_at_once(opened: Opened) -> None:
    widget = opened.module.MSAMSegmentWidget()
    assert widget.panel is not None
    widget.enter()
    widget.logic.setInputVolume(None)
    widget.cleanup()
    assert widget.panel is None


def test_slicer_may_run_without_its_main_window(application: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the generic tests of a module, which make its panel, enter it, leave it and end."""
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    monkeypatch.setattr(slicer.modules, "MSAMSegmentWidget", None, raising=False)
    opened = Opened(*application)
    opened.enter()
    opened.click("phantomButton")
    opened.click("positiveButton")
    opened.settle()
    opened.click("logButton")
    opened.exit()
    opened.enter()
    opened.widget.cleanup()


def test_samples_of_slicer_are_offered_and_downloaded(
    application: Any, monkeypatch: pytest.MonkeyPatch, add_volume: Any
) -> None:
    downloaded = []

    class Logic:
        sources: dict = {}  # noqa: RUF012

        def __init__(self, logMessage: Any = None) -> None:
            names = ("MRBrainTumor1", "CTChest")
            self.sources["General"] = [types.SimpleNamespace(sampleName=name) for name in names]

        @classmethod
        def sampleDataSourcesByCategory(cls) -> dict:
            return cls.sources

        def downloadSamples(self, name: str) -> list[Any]:
            downloaded.append(name)
            return [add_volume(np.zeros((20, 20, 20), np.int16), name=name)]

    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=Logic))
    monkeypatch.setattr(slicer.modules, "MSAMSegmentWidget", None, raising=False)
    opened = Opened(*application)
    assert opened.is_shown("sampleTumorButton")
    assert opened.is_shown("sampleChestButton")
    assert not opened.is_shown("sampleLiverButton")
    opened.click("sampleChestButton")
    assert downloaded == ["CTChest"]
    assert opened.logic.inputVolume.GetName() == "CTChest"
    opened.widget.cleanup()


def test_no_samples_are_offered_where_slicer_was_told_to_leave_their_module_out(
    application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file can still be imported; the list in the application that it keeps them in is missing."""

    class Logic:
        def __init__(self, logMessage: Any = None) -> None:
            raise AttributeError("module 'modules' has no attribute 'sampleDataSources'")

    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=Logic))
    monkeypatch.setattr(slicer.modules, "MSAMSegmentWidget", None, raising=False)
    opened = Opened(*application)
    assert not opened.is_shown("sampleChestButton")
    assert opened.is_shown("phantomButton")
    opened.widget.cleanup()
