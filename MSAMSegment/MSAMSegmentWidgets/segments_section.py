"""The segments: the table, adding and removing, surfaces, and the way to Segment Editor and back."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MSAMSegmentLib import LogicEvent
from MSAMSegmentWidgets.section import Section, allow

HOME = "MSAMSegment"
EDITOR = "SegmentEditor"


class SegmentsSection(Section):
    """Shows the segments, and takes the user to Segment Editor with the same one selected."""

    def setup(self) -> None:
        ui = self.ui
        self._filling = False
        self._wayBack: Any = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._select)
        ui.segmentsTable.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        ui.segmentsTable.connect("selectionChanged(QItemSelection,QItemSelection)", self._onSelected)
        self.onClick(ui.addSegmentButton, self.logic.createSegment)
        self.onClick(ui.removeSegmentButton, self._remove)
        self.onClick(ui.segmentEditorButton, self._openEditor)
        ui.show3DCheckBox.connect("toggled(bool)", self._onShow3D)
        self.logic.addBeforeWrite(self._letEditorRemember)

    def show(self, event: LogicEvent | None) -> None:
        if event not in (None, LogicEvent.SELECTION, LogicEvent.SEGMENTS, LogicEvent.SETTINGS):
            return
        ui, logic = self.ui, self.logic
        selected = logic.selectedSegment
        self._select()
        self._timer.start()  # the table may learn of a new segment after this
        self._filling = True
        if ui.show3DCheckBox.checked != logic.isShown3D:
            ui.show3DCheckBox.checked = logic.isShown3D
        self._filling = False
        noScan = "" if logic.inputVolume is not None else _("Choose a scan first.")
        noSegment = "" if selected else _("There is no segment yet. Click on the lesion, or add one.")
        allow(ui.addSegmentButton, _("Adds an empty segment and selects it."), noScan)
        allow(ui.removeSegmentButton, _("Removes the selected segment with its points."), noSegment)
        allow(
            ui.segmentEditorButton,
            _("Goes to Segment Editor with the same segment selected. A button there leads back."),
            noSegment,
        )

    def close(self) -> None:
        self._timer.stop()
        self._filling = True  # what the table says from now on is of no interest
        if self._wayBack:  # Segment Editor may be gone already, and the button with it, which counts as no then
            self._wayBack.hide()
            self._wayBack.deleteLater()
        self._wayBack = None

    def _select(self) -> None:
        """Shows in the table what is selected."""
        table, selected = self.ui.segmentsTable, self.logic.selectedSegment
        self._filling = True
        if table.segmentationNode() is not self.logic.segmentation:
            table.setSegmentationNode(self.logic.segmentation)
        if list(table.selectedSegmentIDs()) != ([selected] if selected else []):
            if selected:
                table.setSelectedSegmentIDs([selected])
            else:
                table.clearSelection()
        self._filling = False

    def _onSelected(self) -> None:
        if self._filling:
            return
        chosen = list(self.ui.segmentsTable.selectedSegmentIDs())
        if len(chosen) == 1 and chosen[0] != self.logic.selectedSegment:
            self.attempt(lambda: self.logic.selectSegment(chosen[0]))

    def _onShow3D(self, isShown: bool) -> None:
        if not self._filling and isShown != self.logic.isShown3D:
            self.attempt(lambda: self.logic.show3D(isShown))

    def _remove(self) -> None:
        selected = self.logic.selectedSegment
        question = _("Remove the selected segment with its points? This cannot be undone.")
        if selected and slicer.util.confirmYesNoDisplay(question, windowTitle=_("Remove segment")):
            self.logic.removeSegment(selected)

    # Segment Editor

    def _openEditor(self) -> None:
        self.logic.stopPlacing()
        slicer.util.selectModule(EDITOR)
        editor = _editorPanel()
        if editor is None:
            return
        editor.editor.setSegmentationNode(self.logic.segmentation)
        editor.editor.setSourceVolumeNode(self.logic.inputVolume)
        editor.editor.setCurrentSegmentID(self.logic.selectedSegment)
        if not self._wayBack:
            self._wayBack = qt.QPushButton(_("Back to MSAMSegment"))
            self._wayBack.toolTip = _("Goes on clicking with the segment that is selected here.")
            self._wayBack.connect("clicked()", lambda: self.attempt(self._comeBack))
            editor.layout.insertWidget(0, self._wayBack)
        self._wayBack.show()

    def _comeBack(self) -> None:
        editor = _editorPanel()
        if editor is not None and editor.editor.segmentationNode() is not None:
            self.logic.setSegmentation(editor.editor.segmentationNode())
            selected = editor.editor.currentSegmentID()
            if selected in self.logic.segmentIds():
                self.logic.selectSegment(selected)
        self._wayBack.hide()
        slicer.util.selectModule(HOME)

    def _letEditorRemember(self, segmentationNode: Any, _segmentId: str) -> None:
        """Segment Editor's own undo goes back over what is written here, if it has this segmentation open."""
        editor = _editorPanel(onlyIfMade=True)
        if editor is not None and editor.editor.segmentationNode() is segmentationNode:
            editor.editor.saveStateForUndo()


def _editorPanel(onlyIfMade: bool = False) -> Any:
    """Segment Editor's panel: its Python object; None where the application has none, or has not made it yet."""
    if onlyIfMade and not hasattr(slicer.modules, "SegmentEditorWidget"):
        return None
    module = getattr(slicer.modules, "segmenteditor", None)
    return None if module is None else module.widgetRepresentation().self()
