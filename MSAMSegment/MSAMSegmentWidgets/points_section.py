"""The points of the selected segment as a list: to look at, flip and remove."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MSAMSegmentLib import LogicEvent
from MSAMSegmentWidgets.section import Section, allow


class PointsSection(Section):
    """The folded list of points."""

    def setup(self) -> None:
        self._points: list[dict[str, Any]] = []
        self._filling = False
        self.ui.pointsList.connect("currentRowChanged(int)", self._showButtons)
        self.ui.pointsList.connect("itemDoubleClicked(QListWidgetItem*)", self._jump)
        self.onClick(self.ui.flipPointButton, lambda: self._withChosen(self.logic.flipPoint))
        self.onClick(self.ui.removePointButton, lambda: self._withChosen(self.logic.removePoint))

    def show(self, event: LogicEvent | None) -> None:
        if event not in (None, LogicEvent.POINTS, LogicEvent.SELECTION):
            return
        points = self.attempt(self.logic.points) or []
        if points != self._points:
            self._points, row = points, self.ui.pointsList.currentRow
            self._filling = True
            self.ui.pointsList.clear()
            for point in points:
                self.ui.pointsList.addItem(self._words(point))
            self.ui.pointsList.setCurrentRow(min(row, len(points) - 1))
            self._filling = False
        self._showButtons()

    def _showButtons(self) -> None:
        if self._filling:
            return
        obstacle = "" if self._chosen() is not None else _("Choose a point in the list first.")
        allow(self.ui.flipPointButton, _("Makes a positive point a negative one, and the other way round."), obstacle)
        allow(self.ui.removePointButton, _("Removes the point; the mask follows."), obstacle)

    def _chosen(self) -> dict[str, Any] | None:
        row = self.ui.pointsList.currentRow
        return self._points[row] if 0 <= row < len(self._points) else None

    def _withChosen(self, act: Any) -> None:
        chosen = self._chosen()
        if chosen is not None:
            act(chosen["identifier"])

    def _jump(self) -> None:
        """Shows the point in all slice views."""
        chosen = self._chosen()
        if chosen is not None:
            slicer.vtkMRMLSliceNode.JumpAllSlices(
                self.logic.scene, *chosen["positionRas"], slicer.vtkMRMLSliceNode.OffsetJumpSlice
            )

    @staticmethod
    def _words(point: dict[str, Any]) -> str:
        r, a, s = point["positionRas"]
        kind = _("positive") if point["positive"] else _("negative")
        return _("{kind} at R {r:.1f}, A {a:.1f}, S {s:.1f} mm").format(kind=kind, r=r, a=a, s=s)
