"""What a click-look-click round needs: placing points, refining, undo and redo, and the preview of a refinement."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from MSAMSegmentLib import LogicEvent
from MSAMSegmentWidgets import shortcuts
from MSAMSegmentWidgets.section import Section, allow

DARKER_PERCENT = 140


class ClickingSection(Section):
    """The large buttons and those below them."""

    def setup(self) -> None:
        ui, logic = self.ui, self.logic
        self._showing = False
        self._lit: bool | None = None
        ui.positiveButton.connect("toggled(bool)", lambda on: self._onPlace(True, on))
        ui.negativeButton.connect("toggled(bool)", lambda on: self._onPlace(False, on))
        self.onClick(ui.refineButton, self.refine)
        self.onClick(ui.undoButton, logic.undo)
        self.onClick(ui.redoButton, logic.redo)
        self.onClick(ui.clearButton, logic.clearPoints)
        self.onClick(ui.acceptButton, logic.acceptRefinement)
        self.onClick(ui.rejectButton, logic.rejectRefinement)

    def show(self, event: LogicEvent | None) -> None:
        if event in (LogicEvent.SETTINGS, LogicEvent.ENGINE):
            return
        ui, logic = self.ui, self.logic
        self._showing = True
        for button, positive in ((ui.positiveButton, True), (ui.negativeButton, False)):
            if button.checked != (logic.placing is positive):
                button.checked = logic.placing is positive
        self._showing = False
        if logic.placing is not self._lit:
            self._lit = logic.placing
            _light(ui.positiveButton, self._lit is True)
            _light(ui.negativeButton, self._lit is False)
        ui.positiveButton.text = _("Click on the lesion") if logic.placing is True else _("Positive point")
        ui.negativeButton.text = _("Click beside it") if logic.placing is False else _("Negative point")
        noScan = "" if logic.inputVolume is not None else _("Choose a scan first.")
        allow(
            ui.positiveButton,
            _("Every click in a view says: this belongs to the lesion. Right-click or Escape ends it. ({key})").format(
                key=shortcuts.POSITIVE
            ),
            noScan,
        )
        allow(
            ui.negativeButton,
            _(
                "Every click in a view says: this does not belong to the lesion. Right-click or Escape ends it. ({key})"
            ).format(key=shortcuts.NEGATIVE),
            noScan,
        )
        selected = logic.selectedSegment
        noSegment = noScan or ("" if selected else _("There is nothing yet. Click on the lesion first."))
        allow(
            ui.refineButton,
            _("Lets the model look at its own mask again, without a new click. ({key})").format(key=shortcuts.REFINE),
            noSegment,
        )
        allow(
            ui.clearButton,
            _("Removes all points of the selected segment and empties it. Undo brings them back."),
            noSegment,
        )
        allow(
            ui.undoButton,
            _("Takes back: {step}. ({key})").format(step=logic.undoDescription, key=shortcuts.UNDO),
            "" if logic.canUndo else _("There is nothing to take back."),
        )
        allow(
            ui.redoButton,
            _("Makes again: {step}. ({key})").format(step=logic.redoDescription, key=shortcuts.REDO),
            "" if logic.canRedo else _("There is nothing to make again."),
        )
        ui.previewWidget.visible = logic.isPreviewing
        allow(
            ui.acceptButton,
            _("Keeps the refined mask."),
            _("The refinement is still under way.") if logic.isBusy else "",
        )

    def togglePlacing(self, positive: bool) -> None:
        """Begins to place points, or ends it if it was under way."""
        if self.logic.inputVolume is not None:
            self._onPlace(positive, self.logic.placing is not positive)

    def refine(self) -> None:
        """Refines as often as the number beside the button says."""
        settings = self.logic.settings
        self.logic.refine(settings.refineIterations, preview=settings.previewRefinement)

    def _onPlace(self, positive: bool, isOn: bool) -> None:
        if self._showing:
            return
        if isOn:
            self.attempt(lambda: self.logic.startPlacing(positive))
        elif self.logic.placing is positive:
            self.attempt(self.logic.stopPlacing)


def _light(button: Any, isOn: bool) -> None:
    """Gives a button the colours of a selection while it is on: pressed alone is hardly seen in a dark theme."""
    palette = qt.QPalette()
    if isOn:
        # Styles draw buttons lighter than they are told; the words have to stay readable.
        palette.setColor(qt.QPalette.Button, palette.color(qt.QPalette.Highlight).darker(DARKER_PERCENT))
        palette.setColor(qt.QPalette.ButtonText, palette.color(qt.QPalette.HighlightedText))
    button.setPalette(palette)
