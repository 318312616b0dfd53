"""What the panel says when something cannot be done. Nothing of it needs a dialog, and nothing is lost."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from opened_panel import CENTRE, Opened


def test_a_click_beside_the_scan_is_refused_with_words(clicked: Opened) -> None:
    clicked.logic.onAdded((500.0, 0.0, 0.0), True)
    assert clicked.status == "The point lies outside of the scan. Click inside of it."
    assert clicked.ui.pointsList.count == 1


def test_a_completed_segment_is_not_changed(clicked: Opened) -> None:
    segment = clicked.logic.segmentation.GetSegmentation().GetSegment(clicked.logic.selectedSegment)
    slicer.vtkSlicerSegmentationsModuleLogic.SetSegmentStatus(
        segment, slicer.vtkSlicerSegmentationsModuleLogic.Completed
    )
    clicked.logic.onAdded((5.0, 0.0, 0.0), True)
    assert "completed" in clicked.status
    clicked.click("refineButton")
    assert "completed" in clicked.status
    assert clicked.ui.pointsList.count == 1


def test_an_empty_segment_cannot_be_refined(clicked: Opened) -> None:
    clicked.click("addSegmentButton")
    clicked.click("refineButton")
    assert clicked.status.startswith("There is nothing to refine yet.")


def test_segments_that_overlap_do_not_go_into_one_file(clicked: Opened, tmp_path: Path) -> None:
    clicked.click("addSegmentButton")
    clicked.logic.addPoint((3.0, 0.0, 0.0))
    clicked.wait()
    clicked.answer_file(tmp_path / "both.nrrd")
    clicked.click("exportButton")
    assert "overlap" in clicked.status
    assert not list(tmp_path.glob("both*"))


def test_an_empty_name_of_a_segment_is_refused(clicked: Opened) -> None:
    from MSAMSegmentLib.errors import SceneError

    with pytest.raises(SceneError, match="needs a name"):
        clicked.logic.renameSegment(clicked.logic.selectedSegment, " ")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (RuntimeError("the disk is full"), "The sample could not be downloaded: the disk is full"),
        ([], "The sample could not be downloaded: There is no network, or its server does not answer."),
        (["/cache/CT-chest.nrrd"], "There is no network, or its server does not answer."),
        ([None], "There is no network, or its server does not answer."),
        ("cancel", "The sample could not be downloaded: It was cancelled."),
    ],
)
def test_a_sample_that_cannot_be_downloaded(
    application: Any, monkeypatch: pytest.MonkeyPatch, outcome: Any, words: str
) -> None:
    """Slicer's own module says so by an exception, by nothing, or by whatever it has instead of a volume."""
    seen: list[Any] = []

    class Logic:
        def __init__(self, logMessage: Any = None) -> None:
            self.logMessage = logMessage

        @staticmethod
        def sampleDataSourcesByCategory() -> dict:
            return {"General": [types.SimpleNamespace(sampleName="CTChest")]}

        def downloadSamples(self, _name: str) -> Any:
            self.logMessage("<b>Requesting download</b>")
            self.logMessage("<i>Downloaded 6.1 MB (10% of 61.1 MB)...</i>", 10)
            ui = opened.ui
            seen.append((opened.status, ui.progressBar.value, ui.emptyFrame.enabled, ui.cancelButton.enabled))
            if outcome == "cancel":
                opened.click("cancelButton")
                self.logMessage("Downloaded 12.2 MB (20% of 61.1 MB)...")
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=Logic))
    monkeypatch.setattr(slicer.modules, "MSAMSegmentWidget", None, raising=False)
    opened = Opened(*application)
    opened.click("sampleChestButton")
    assert seen == [("Downloaded 6.1 MB (10% of 61.1 MB)...", 10, False, True)]
    assert opened.status.endswith(words)
    assert opened.is_shown("emptyFrame")
    assert opened.ui.emptyFrame.enabled
    assert not opened.is_shown("progressBar")
    opened.widget.cleanup()


def test_when_all_public_models_are_here_that_is_said(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    import MSAMSegmentWidgets.model_download as model_download

    entry = types.SimpleNamespace(name="sam-med3d-turbo", origin="installed")
    monkeypatch.setattr(model_download, "list_models", lambda: [entry])
    opened.click("downloadButton")
    assert opened.status == "All public models that are known are installed."
    assert not opened.dialogs.questions


def test_a_scan_without_voxels_is_not_taken_up_before_it_has_some(opened: Opened, scene: Any, volumeNode: Any) -> None:
    voxels = slicer.util.arrayFromVolume(volumeNode).copy()
    opened.logic.setInputVolume(None)
    scene.RemoveNode(volumeNode)
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Later")
    opened.pass_time(0.5)
    assert opened.logic.inputVolume is None
    slicer.util.updateVolumeFromArray(empty, voxels)
    opened.exit()
    opened.enter()
    assert opened.logic.inputVolume is empty


def test_two_values_of_the_same_intensity_leave_no_voxel_and_the_panel_says_so(clicked: Opened) -> None:
    clicked.choose("overwriteComboBox", 2)
    clicked.ui.intensityCheckBox.checked = True
    clicked.ui.intensityLowSpinBox.value = clicked.ui.intensityHighSpinBox.value = 9999.0
    clicked.click("addSegmentButton")
    clicked.logic.addPoint(CENTRE)
    clicked.settle()
    assert clicked.logic.lastError == ""
    assert clicked.ui.volumeValue.text == "–"
    assert np.isclose(clicked.logic.settings.intensityLow, 9999)
