"""A click-look-click round, on the real panel with the real logic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opened_panel import CENTRE, Opened

from MSAMSegmentLib.segments import readMask


def voxels(opened: Opened) -> int:
    """How many voxels the selected segment has."""
    logic = opened.logic
    return int(np.count_nonzero(readMask(logic.segmentation, logic.selectedSegment).voxels))


def test_the_first_click_needs_no_decision(opened: Opened, volumeNode: Any) -> None:
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    opened.click("positiveButton")
    assert opened.logic.placing is True
    opened.logic.addPoint(CENTRE)
    opened.wait()
    assert opened.logic.lastError == ""
    opened.wait(lambda: "mL" in opened.ui.volumeValue.text)
    assert "mm" in opened.ui.diameterValue.text
    assert opened.ui.qualityValue.text == "90%"
    assert opened.ui.timeValue.text.endswith(" s")
    assert not opened.dialogs.questions
    assert not opened.dialogs.errors


def test_the_quality_is_that_of_the_mask_that_is_seen(clicked: Opened) -> None:
    clicked.click("undoButton")
    clicked.settle()
    assert clicked.ui.qualityValue.text == "–", "there is no mask any more"
    clicked.click("redoButton")
    clicked.settle()
    assert clicked.ui.qualityValue.text == "90%"


def test_the_place_buttons_show_which_points_are_placed(clicked: Opened) -> None:
    clicked.click("negativeButton")
    assert clicked.logic.placing is False
    assert clicked.ui.negativeButton.checked
    assert not clicked.ui.positiveButton.checked
    clicked.click("positiveButton")
    assert clicked.logic.placing is True
    assert not clicked.ui.negativeButton.checked
    clicked.click("positiveButton")
    assert clicked.logic.placing is None
    assert not clicked.ui.positiveButton.checked


def test_placing_that_ends_in_a_view_releases_the_button(clicked: Opened) -> None:
    clicked.click("positiveButton")
    interaction = clicked.logic.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert not clicked.ui.positiveButton.checked


def test_refine_makes_as_many_steps_as_the_number_says_and_undo_takes_them_back(clicked: Opened) -> None:
    first = voxels(clicked)
    clicked.ui.iterationsSpinBox.value = 2
    assert clicked.logic.settings.refineIterations == 2
    clicked.click("refineButton")
    clicked.settle()
    refined = voxels(clicked)
    assert refined > first
    clicked.click("undoButton")
    clicked.click("undoButton")
    assert voxels(clicked) == first
    clicked.click("redoButton")
    clicked.click("redoButton")
    assert voxels(clicked) == refined
    assert not clicked.ui.redoButton.enabled
    assert clicked.ui.redoButton.toolTip == "There is nothing to make again."


def test_a_preview_is_kept_or_taken_back(clicked: Opened) -> None:
    first = voxels(clicked)
    clicked.ui.previewCheckBox.checked = True
    for button, isKept in (("rejectButton", False), ("acceptButton", True)):
        assert not clicked.is_shown("previewWidget")
        clicked.click("refineButton")
        clicked.settle()
        assert clicked.is_shown("previewWidget")
        clicked.click(button)
        assert not clicked.is_shown("previewWidget")
        assert (voxels(clicked) > first) is isKept


def test_clear_empties_the_segment_and_undo_fills_it_again(clicked: Opened) -> None:
    before = voxels(clicked)
    clicked.click("clearButton")
    assert voxels(clicked) == 0
    assert clicked.logic.points() == []
    clicked.settle()
    assert clicked.ui.volumeValue.text == "–"
    clicked.click("undoButton")
    assert voxels(clicked) == before
    assert len(clicked.logic.points()) == 1


def test_the_tooltips_of_undo_and_redo_name_the_step(clicked: Opened) -> None:
    assert "positive point" in clicked.ui.undoButton.toolTip
    clicked.click("undoButton")
    assert "positive point" in clicked.ui.redoButton.toolTip


def test_points_are_listed_flipped_and_removed(clicked: Opened) -> None:
    clicked.logic.addPoint((10.0, 0.0, 0.0), False)
    clicked.settle()
    points = clicked.ui.pointsList
    assert points.count == 2
    assert points.raw.item(1).text() == "negative at R 10.0, A 0.0, S 0.0 mm"
    assert not clicked.ui.flipPointButton.enabled
    points.setCurrentRow(1)
    clicked.click("flipPointButton")
    clicked.settle()
    assert points.raw.item(1).text().startswith("positive")
    assert points.currentRow == 1
    clicked.click("removePointButton")
    clicked.settle()
    assert points.count == 1
    assert len(clicked.logic.points()) == 1


def test_a_double_click_on_a_point_shows_it_in_the_views(clicked: Opened, scene: Any) -> None:
    import slicer

    node = scene.AddNode(slicer.vtkMRMLSliceNode())
    clicked.logic.addPoint((4.0, 6.0, 8.0))
    clicked.settle()
    row = clicked.ui.pointsList.raw.item(1)
    clicked.ui.pointsList.setCurrentRow(1)
    clicked.ui.pointsList.raw.itemDoubleClicked.emit(row)
    assert node.GetSliceToRAS().GetElement(2, 3) == pytest.approx(8.0, abs=1.0)


def test_the_keys_do_what_the_buttons_do(clicked: Opened) -> None:
    first = voxels(clicked)
    clicked.press("Shift+P")
    assert clicked.logic.placing is True
    clicked.press("Shift+N")
    assert clicked.logic.placing is False
    clicked.press("Shift+N")
    assert clicked.logic.placing is None
    clicked.press("Shift+R")
    clicked.settle()
    assert voxels(clicked) > first
    while clicked.logic.undoDescription.startswith("refine"):
        clicked.press("Shift+Z")
    assert voxels(clicked) == first
    clicked.press("Shift+Y")
    assert voxels(clicked) > first


def test_escape_ends_placing_and_is_free_for_others_at_all_other_times(clicked: Opened) -> None:
    def keys() -> set[str]:
        return {shortcut.key().toString() for shortcut in clicked.shortcuts}

    assert "Esc" not in keys()
    clicked.click("negativeButton")
    assert "Esc" in keys()
    clicked.press("Escape")
    assert clicked.logic.placing is None
    assert not clicked.ui.negativeButton.checked
    assert "Esc" not in keys()
    clicked.click("positiveButton")
    clicked.exit()
    assert keys() == set()
    clicked.logic.startPlacing(True)  # by a script, while another module is open
    assert keys() == set()
    clicked.logic.stopPlacing()


def test_keys_without_anything_to_do_are_harmless(opened: Opened) -> None:
    for key in ("Shift+P", "Shift+N", "Shift+R", "Shift+Z", "Shift+Y"):
        opened.press(key)
    assert opened.logic.placing is None


def test_every_button_that_is_disabled_says_why(opened: Opened) -> None:
    for name in (
        "positiveButton",
        "negativeButton",
        "refineButton",
        "undoButton",
        "redoButton",
        "clearButton",
        "addSegmentButton",
        "removeSegmentButton",
        "segmentEditorButton",
        "exportButton",
        "tableButton",
        "copyButton",
        "flipPointButton",
        "removePointButton",
    ):
        button = getattr(opened.ui, name)
        assert not button.enabled, name
        assert button.toolTip.endswith("."), name
