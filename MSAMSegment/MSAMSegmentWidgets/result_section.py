"""What came back: quality, size and time; the table of measurements; and export."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MSAMSegmentLib import LogicEvent
from MSAMSegmentLib.measurement_table import tableText
from MSAMSegmentWidgets.export_dialog import askAndExport
from MSAMSegmentWidgets.section import Section, allow

NOTHING = "–"
# Measuring a large mask takes a while; quick clicks need not wait for it.
PAUSE_MS = 150


class ResultSection(Section):
    """Shows the selected segment in numbers."""

    def setup(self) -> None:
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.connect("timeout()", self._measure)
        self.onClick(self.ui.exportButton, lambda: askAndExport(self.logic, self._sayer))
        self.onClick(self.ui.tableButton, self._showTable)
        self.onClick(self.ui.copyButton, self._copy)

    def show(self, event: LogicEvent | None) -> None:
        if event not in (None, LogicEvent.RESULT, LogicEvent.HISTORY, LogicEvent.SELECTION, LogicEvent.SEGMENTS):
            return
        ui, result = self.ui, self.logic.lastResult
        if event is LogicEvent.SELECTION:  # never the size of another segment, not even until it is measured
            ui.volumeValue.text = ui.diameterValue.text = NOTHING
        expected = self.logic.expectedOverlap()
        ui.qualityValue.text = f"{expected:.0%}" if expected is not None else NOTHING
        isItsOwn = result is not None and result.segmentId == self.logic.selectedSegment
        ui.timeValue.text = f"{result.seconds:.1f} s" if isItsOwn else NOTHING
        obstacle = "" if self.logic.selectedSegment else _("There is no segment yet.")
        allow(
            ui.exportButton,
            _("Writes segments to NRRD, NIfTI or MHA files with exactly the geometry of the scan."),
            obstacle,
        )
        allow(ui.tableButton, _("Measures all segments, and shows them as a table."), obstacle)
        allow(ui.copyButton, _("Copies the measurements of all segments, for a spreadsheet or a report."), obstacle)
        self._timer.start()

    def close(self) -> None:
        self._timer.stop()

    def _measure(self) -> None:
        """Shows volume and diameter of the selected segment."""
        ui = self.ui
        ui.volumeValue.text = ui.diameterValue.text = NOTHING
        if self.logic.selectedSegment and self.logic.inputVolume is not None:
            measured = self.attempt(self.logic.measurements)
            if measured is not None and measured.voxels:
                ui.volumeValue.text = f"{measured.volumeMl:.2f} mL"
                ui.diameterValue.text = f"{measured.longestDiameterMm:.1f} mm"

    def _showTable(self) -> None:
        table = self.logic.measurementTable()
        application = slicer.app.applicationLogic()
        selection: Any = application.GetSelectionNode()
        selection.SetActiveTableID(table.GetID())
        application.PropagateTableSelection()
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)

    def _copy(self) -> None:
        slicer.app.clipboard().setText(tableText(self.logic.measurementTable()))
        self._sayer.say(_("The measurements are in the clipboard."))
