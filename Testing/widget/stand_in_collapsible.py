"""A stand-in for CTK's heading that folds its contents away. `test_contract` holds it to the real one."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QEvent, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractButton, QStyle, QStyleOptionButton, QStylePainter, QWidget


class ctkCollapsibleButton(QAbstractButton):
    """A heading that folds its contents away."""

    isStandIn = True
    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setChecked(True)
        self._forcing = False
        self.toggled.connect(self._toggled)

    def _toggled(self, opened: bool) -> None:
        self._apply()
        self.contentsCollapsed.emit(not opened)

    def _apply(self) -> None:
        """Shows or hides the contents; what somebody else hid stays hidden. As in CTK, that leaves no trace in them."""
        if not self.testAttribute(Qt.WidgetAttribute.WA_WState_Created):
            return
        self._forcing = True
        for child in self.children():
            if isinstance(child, QWidget):
                explicit = child.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
                child.setVisible(self.isChecked() and child.property("visibilityToParent") is not False)
                child.setAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide, explicit)
        self._forcing = False
        self.updateGeometry()
        self.update()

    def eventFilter(self, child: Any, event: Any) -> bool:
        if not self._forcing and event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            child.setProperty("visibilityToParent", event.type() is QEvent.Type.ShowToParent)
            if not self.isChecked():
                self._apply()
        return False

    def isCollapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, folded: bool) -> None:
        self.setChecked(not folded)

    collapsed = Property(bool, isCollapsed, setCollapsed)

    def childEvent(self, event: Any) -> None:
        child = event.child()
        if event.added() and child.isWidgetType():
            child.installEventFilter(self)
        super().childEvent(event)

    def showEvent(self, event: Any) -> None:
        if self.layout() is not None:
            self.layout().setContentsMargins(8, 30, 8, 6)
        if not self.isChecked():
            self._apply()
        super().showEvent(event)

    def sizeHint(self) -> QSize:
        inside = self.layout().sizeHint() if self.isChecked() and self.layout() is not None else QSize(60, 0)
        return QSize(inside.width(), max(24, inside.height()))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint() if self.isChecked() else QSize(60, 24)

    @Slot()
    def paintEvent(self, _event: Any) -> None:
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(24)
        option.text = ("▾  " if self.isChecked() else "▸  ") + self.text()
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
