"""What happens where the mask meets other segments. The other settings are bound to the parameter node in the .ui."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from MSAMSegmentLib import LogicEvent
from MSAMSegmentLib.masking import Overwrite
from MSAMSegmentWidgets.section import Section, allow


class SettingsSection(Section):
    """The choices that are no plain numbers."""

    def setup(self) -> None:
        ui = self.ui
        self._overwrites = list(Overwrite)
        words = {
            Overwrite.KEEP_OTHERS: _("stay; segments may overlap"),
            Overwrite.TAKE_FROM_OTHERS: _("give way, if shown and not completed"),
            Overwrite.ONLY_WHERE_ALLOWED: _("stay; only the editable area counts"),
        }
        for overwrite in self._overwrites:
            ui.overwriteComboBox.addItem(words[overwrite])
        node = slicer.vtkMRMLSegmentationNode
        areas = (
            (node.EditAllowedEverywhere, _("everywhere")),
            (node.EditAllowedInsideAllSegments, _("inside all segments")),
            (node.EditAllowedInsideVisibleSegments, _("inside visible segments")),
            (node.EditAllowedOutsideAllSegments, _("outside all segments")),
            (node.EditAllowedOutsideVisibleSegments, _("outside visible segments")),
        )
        self._areas = [node.ConvertMaskModeToString(area) for area, _words in areas]
        for _area, text in areas:
            ui.editableAreaComboBox.addItem(text)
        ui.overwriteComboBox.connect("activated(int)", self._onOverwrite)
        ui.editableAreaComboBox.connect("activated(int)", self._onArea)

    def show(self, event: LogicEvent | None) -> None:
        if event not in (None, LogicEvent.SETTINGS):
            return
        ui, settings = self.ui, self.logic.settings
        ui.overwriteComboBox.setCurrentIndex(self._overwrites.index(settings.overwrite))
        area = settings.editableArea
        ui.editableAreaComboBox.setCurrentIndex(self._areas.index(area) if area in self._areas else 0)
        obstacle = (
            ""
            if settings.overwrite is Overwrite.ONLY_WHERE_ALLOWED
            else _("This counts only when masks are written in the editable area.")
        )
        allow(ui.editableAreaComboBox, _("Where masks may be written."), obstacle)
        allow(ui.intensityCheckBox, _("Writes only voxels whose intensity lies between these two values."), obstacle)
        noRange = obstacle or ("" if settings.useIntensityRange else _("Tick the box before it first."))
        allow(ui.intensityLowSpinBox, _("Lowest intensity that is written."), noRange)
        allow(ui.intensityHighSpinBox, _("Highest intensity that is written."), noRange)

    def _onOverwrite(self, row: int) -> None:
        self.logic.settings.overwrite = self._overwrites[row]

    def _onArea(self, row: int) -> None:
        self.logic.settings.editableArea = self._areas[row]
