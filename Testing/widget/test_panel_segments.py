"""The segments in the panel: the table, surfaces, Segment Editor and back, export, measurements, settings."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
import slicer
import stand_in_qt
from opened_panel import Opened
from PySide6 import QtWidgets

from MSAMSegmentLib.masking import Overwrite


class Editor:
    """Segment Editor's widget, as far as the panel speaks to it."""

    def __init__(self) -> None:
        self.node: Any = None
        self.volume: Any = None
        self.segment = ""
        self.saved = 0

    def setSegmentationNode(self, node: Any) -> None:
        self.node = node

    def segmentationNode(self) -> Any:
        return self.node

    def setSourceVolumeNode(self, node: Any) -> None:
        self.volume = node

    def setCurrentSegmentID(self, identifier: str) -> None:
        self.segment = identifier

    def currentSegmentID(self) -> str:
        return self.segment

    def saveStateForUndo(self) -> None:
        self.saved += 1


@pytest.fixture
def editor(clicked: Opened, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Segment Editor, which Slicer makes when it is first asked for."""
    editor, window = Editor(), QtWidgets.QWidget(clicked.app.mainWindow)
    QtWidgets.QVBoxLayout(window)
    panel = types.SimpleNamespace(editor=editor, layout=stand_in_qt.wrapped(window.layout()), window=window)
    monkeypatch.setattr(slicer.modules, "SegmentEditorWidget", panel, raising=False)
    module = types.SimpleNamespace(widgetRepresentation=lambda: types.SimpleNamespace(self=lambda: panel))
    monkeypatch.setattr(slicer.modules, "segmenteditor", module, raising=False)
    editor.window = window
    return editor


def table(opened: Opened) -> QtWidgets.QTableWidget:
    """What stands in for the rows of Slicer's table."""
    return opened.ui.segmentsTable.raw.table


def test_a_segment_is_added_chosen_in_the_table_and_removed(clicked: Opened) -> None:
    first = clicked.logic.selectedSegment
    clicked.click("addSegmentButton")
    second = clicked.logic.selectedSegment
    assert first != second
    assert table(clicked).rowCount() == 2
    assert clicked.ui.volumeValue.text == "–", "those of the first segment"
    clicked.settle()
    assert clicked.ui.volumeValue.text == "–"
    table(clicked).selectRow(0)
    assert clicked.logic.selectedSegment == first
    clicked.settle()
    assert "mL" in clicked.ui.volumeValue.text
    clicked.logic.selectSegment(second)
    assert list(clicked.ui.segmentsTable.selectedSegmentIDs()) == [second]
    clicked.dialogs.answer = False
    clicked.click("removeSegmentButton")
    assert clicked.logic.segmentIds() == [first, second]
    clicked.dialogs.answer = True
    clicked.click("removeSegmentButton")
    assert clicked.logic.segmentIds() == [first]
    assert clicked.logic.selectedSegment == first


def test_a_segment_is_renamed_coloured_and_hidden_in_the_table(clicked: Opened) -> None:
    identifier, segmentation = clicked.logic.selectedSegment, clicked.logic.segmentation
    table(clicked).item(0, 2).setText("Liver, segment VII")
    segment = segmentation.GetSegmentation().GetSegment(identifier)
    assert segment.GetName() == "Liver, segment VII"
    segment.SetColor(0.1, 0.2, 0.3)
    table(clicked).itemClicked.emit(table(clicked).item(0, 0))
    assert not segmentation.GetDisplayNode().GetSegmentVisibility(identifier)
    assert clicked.logic.selectedSegment == identifier


def test_surfaces_are_shown_and_hidden(clicked: Opened) -> None:
    assert clicked.ui.show3DCheckBox.checked
    clicked.click("show3DCheckBox")
    assert not clicked.logic.isShown3D
    clicked.click("show3DCheckBox")
    assert clicked.logic.isShown3D
    clicked.pass_time(0.6)
    assert clicked.logic.segmentation.GetSegmentation().ContainsRepresentation("Closed surface")


def test_segment_editor_gets_the_segment_and_gives_it_back(clicked: Opened, editor: Editor) -> None:
    first = clicked.logic.selectedSegment
    clicked.click("positiveButton")
    clicked.click("segmentEditorButton")
    assert clicked.dialogs.selected == ["SegmentEditor"]
    assert (editor.node, editor.volume) == (clicked.logic.segmentation, clicked.logic.inputVolume)
    assert editor.segment == first
    assert clicked.logic.placing is None
    clicked.exit()
    back = editor.window.findChild(QtWidgets.QPushButton)
    assert back.isVisibleTo(editor.window)
    second = clicked.logic.segmentation.GetSegmentation().AddEmptySegment()
    editor.segment = second
    back.click()
    assert clicked.dialogs.selected[-1] == "MSAMSegment"
    clicked.enter()
    assert clicked.logic.selectedSegment == second
    assert not back.isVisibleTo(editor.window)
    clicked.click("segmentEditorButton")
    assert len(editor.window.findChildren(QtWidgets.QPushButton)) == 1
    assert back.isVisibleTo(editor.window)


def test_the_panel_goes_after_segment_editor_and_the_main_window(clicked: Opened, editor: Editor) -> None:
    clicked.click("segmentEditorButton")
    stand_in_qt.destroy(editor.window)
    stand_in_qt.destroy(clicked.app.mainWindow)
    clicked.widget.cleanup()
    assert not any(process.alive for process in clicked.transport.processes)


def test_coming_back_without_a_segmentation_keeps_what_was_selected(clicked: Opened, editor: Editor) -> None:
    first = clicked.logic.selectedSegment
    clicked.click("segmentEditorButton")
    editor.node = None
    editor.window.findChild(QtWidgets.QPushButton).click()
    assert clicked.logic.selectedSegment == first


def test_segment_editors_own_undo_knows_of_masks_that_are_written(clicked: Opened, editor: Editor) -> None:
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    clicked.wait()
    assert editor.saved == 0
    editor.node = clicked.logic.segmentation
    clicked.logic.addPoint((-10.0, 0.0, 0.0))
    clicked.wait()
    assert editor.saved == 1


def test_export_writes_the_file_that_was_chosen(clicked: Opened, tmp_path: Path) -> None:
    clicked.answer_file(tmp_path / "lesion.nii.gz")
    clicked.click("exportButton")
    assert (tmp_path / "lesion.nii.gz").is_file()
    assert clicked.status == "Saved, read again and compared: lesion.nii.gz"


def test_export_without_a_choice_writes_nothing(clicked: Opened, tmp_path: Path) -> None:
    before = clicked.status
    clicked.click("exportButton")
    assert clicked.status == before
    assert not list(tmp_path.glob("*.nii*"))


def test_export_says_which_endings_there_are(clicked: Opened, tmp_path: Path) -> None:
    clicked.answer_file(tmp_path / "lesion.jpg")
    clicked.click("exportButton")
    assert clicked.status == "Choose a name that ends in .nii.gz, .nrrd, .mha or .seg.nrrd."


def test_export_says_why_it_cannot_write(clicked: Opened, tmp_path: Path) -> None:
    clicked.answer_file(tmp_path / "nowhere" / "lesion.nrrd")
    clicked.click("exportButton")
    assert clicked.status.endswith(".")
    assert "nowhere" in clicked.status or "folder" in clicked.status


def test_only_visible_segments_are_exported(clicked: Opened, tmp_path: Path) -> None:
    hidden = clicked.logic.selectedSegment
    clicked.click("addSegmentButton")
    clicked.logic.addPoint((-10.0, 0.0, 0.0))
    clicked.wait()
    clicked.logic.setSegmentVisible(hidden, False)
    clicked.answer_file(tmp_path / "visible.nrrd")
    clicked.click("exportButton")
    assert "visible.nrrd" in clicked.status


def test_measurements_are_shown_as_a_table_and_copied(clicked: Opened) -> None:
    clicked.click("tableButton")
    tables = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert len(tables) == 1
    assert clicked.logic.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton").GetActiveTableID() == tables[0].GetID()
    clicked.click("copyButton")
    assert "Lesion 1" in QtWidgets.QApplication.clipboard().text()
    assert clicked.status == "The measurements are in the clipboard."
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode")) == 1


def test_settings_go_to_the_scene_and_come_from_it(clicked: Opened) -> None:
    settings = clicked.logic.settings
    assert not clicked.ui.editableAreaComboBox.enabled
    clicked.choose("overwriteComboBox", list(Overwrite).index(Overwrite.ONLY_WHERE_ALLOWED))
    assert settings.overwrite is Overwrite.ONLY_WHERE_ALLOWED
    clicked.choose("editableAreaComboBox", 2)
    assert settings.editableArea == "EditAllowedInsideVisibleSegments"
    assert not clicked.ui.intensityLowSpinBox.enabled
    clicked.ui.intensityCheckBox.checked = True
    assert clicked.ui.intensityLowSpinBox.enabled
    clicked.ui.intensityLowSpinBox.value = -200.5
    clicked.ui.intensityHighSpinBox.value = 300
    assert settings.writeOptions().intensityRange == (-200.5, 300.0)
    settings.overwrite, settings.refineIterations = Overwrite.TAKE_FROM_OTHERS, 7
    assert clicked.ui.overwriteComboBox.currentIndex == list(Overwrite).index(Overwrite.TAKE_FROM_OTHERS)
    assert clicked.ui.iterationsSpinBox.value == 7


def test_a_segmentation_that_is_made_in_the_list_can_be_shown(clicked: Opened) -> None:
    node = clicked.logic.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Another")
    selector = clicked.ui.segmentationSelector.raw
    selector.nodeAddedByUser.emit(node)
    selector.setCurrentNode(node)
    assert node.GetDisplayNode() is not None
    assert clicked.logic.segmentation is node
    assert table(clicked).rowCount() == 0
    selector.setCurrentNode(None)
    assert clicked.logic.segmentation is None
