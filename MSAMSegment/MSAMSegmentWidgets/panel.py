"""The panel as a whole: puts its sections together and tells them what happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MSAMSegmentLib import LogicEvent, MSAMSegmentLogic
from MSAMSegmentLib.transport import Transport
from MSAMSegmentWidgets import shortcuts
from MSAMSegmentWidgets.clicking_section import ClickingSection
from MSAMSegmentWidgets.empty_section import EmptySection
from MSAMSegmentWidgets.engine_choice import EngineChoice
from MSAMSegmentWidgets.engine_section import EngineSection
from MSAMSegmentWidgets.points_section import PointsSection
from MSAMSegmentWidgets.result_section import ResultSection
from MSAMSegmentWidgets.section import Section
from MSAMSegmentWidgets.segments_section import SegmentsSection
from MSAMSegmentWidgets.settings_section import SettingsSection
from MSAMSegmentWidgets.shortcuts import Shortcuts
from MSAMSegmentWidgets.status_section import StatusSection

ICONS = {
    "positiveButton": "positive",
    "negativeButton": "negative",
    "refineButton": "refine",
    "undoButton": "undo",
    "redoButton": "redo",
    "clearButton": "clear",
    "addSegmentButton": "add",
    "removeSegmentButton": "remove",
    "show3DCheckBox": "surface",
    "segmentEditorButton": "editor",
    "exportButton": "export",
    "tableButton": "table",
    "copyButton": "copy",
}


class Panel:
    """All sections of the panel."""

    def __init__(
        self, ui: Any, logic: MSAMSegmentLogic, transport: Transport, resourcePath: Callable[[str], str]
    ) -> None:
        self._logic = logic
        self._taken = False
        self._shown: object = None
        for name, icon in ICONS.items():
            getattr(ui, name).icon = qt.QIcon(resourcePath(f"Icons/{icon}.svg"))
        self.status = StatusSection(ui, logic, self)
        self.clicking = ClickingSection(ui, logic, self)
        self.engine = EngineSection(ui, logic, self)
        self.sections: list[Section] = [
            EmptySection(ui, logic, self),
            SegmentsSection(ui, logic, self),
            self.clicking,
            self.status,
            ResultSection(ui, logic, self),
            PointsSection(ui, logic, self),
            SettingsSection(ui, logic, self),
            self.engine,
        ]
        self.choice = EngineChoice(logic, transport, self, self._onEngineChosen)
        self.status.choice = self.choice
        self.engine.begin(self.choice)
        self.shortcuts = Shortcuts(
            slicer.util.mainWindow(),
            {
                shortcuts.POSITIVE: lambda: self.clicking.togglePlacing(True),
                shortcuts.NEGATIVE: lambda: self.clicking.togglePlacing(False),
                shortcuts.REFINE: lambda: self.clicking.attempt(self.clicking.refine),
                shortcuts.UNDO: lambda: self.clicking.attempt(self._undo),
                shortcuts.REDO: lambda: self.clicking.attempt(self._redo),
            },
        )
        self.ending = Shortcuts(
            slicer.util.mainWindow(), {shortcuts.END_PLACING: lambda: self.clicking.attempt(logic.stopPlacing)}
        )
        ui.segmentationSelector.connect("nodeAddedByUser(vtkMRMLNode*)", lambda node: node.CreateDefaultDisplayNodes())
        logic.addListener(self.onLogic)
        self.onLogic(None)

    def say(self, words: str) -> None:
        """Shows a sentence in the line of words."""
        self.status.say(words)

    def work(self, words: str, fraction: float | None, cancel: Callable[[], Any]) -> None:
        """Shows that something beside the engine is under way."""
        self.status.work(words, fraction, cancel)

    def rest(self) -> None:
        """It has ended."""
        self.status.rest()

    def onLogic(self, event: LogicEvent | None) -> None:
        """Shows what has changed."""
        if event is LogicEvent.SELECTION:
            self._showScan()
        self._mindEnding()
        for section in self.sections:
            section.show(event)

    def enter(self) -> None:
        """The module is opened: its keys work, and the engine is started so that the first click need not wait."""
        self.shortcuts.install()
        if not self._taken:
            self._taken = True
            self.choice.take()
        self.onLogic(None)

    def exit(self) -> None:
        """The module is left: clicks and keys are free for others."""
        self.shortcuts.remove()
        self._logic.stopPlacing()

    def close(self) -> None:
        """Lets go of everything."""
        self.shortcuts.remove()
        self.ending.remove()
        self._logic.removeListener(self.onLogic)
        self.choice.close()
        for section in self.sections:
            section.close()

    def _onEngineChosen(self) -> None:
        if self.choice.needsSetUp and not self.choice.isInstalling:
            self.say(_("The engine that computes the masks is not installed yet."))
        self.status.show(LogicEvent.ENGINE)
        self.engine.show(None)

    def _mindEnding(self) -> None:
        """While points are placed, Escape ends it, as long as the module is open."""
        if self._logic.placing is not None and self.shortcuts.areInstalled:
            self.ending.install()
        else:
            self.ending.remove()

    def _showScan(self) -> None:
        """Shows a scan in the views when it is chosen and none of them shows it."""
        scan = self._logic.inputVolume
        if scan is self._shown:
            return
        self._shown = scan
        if scan is None:
            return
        views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", self._logic.scene)
        if not any(scan.GetID() in (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) for view in views):
            slicer.util.setSliceViewerLayers(background=scan)

    def _undo(self) -> None:
        if self._logic.canUndo:
            self._logic.undo()

    def _redo(self) -> None:
        if self._logic.canRedo:
            self._logic.redo()
