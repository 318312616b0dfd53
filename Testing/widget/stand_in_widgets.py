"""Stand-ins for the few widgets of Slicer and CTK that the panel uses. `test_contract` holds them to the real ones."""

from __future__ import annotations

import itertools
from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, QItemSelection, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from stand_in_collapsible import ctkCollapsibleButton

_number = itertools.count()


def setting(kind: type | str, default: Any) -> Property:
    """A property that is only kept."""
    key = f"_setting{next(_number)}"
    return Property(
        kind, lambda self: self.__dict__.get(key, default), lambda self, value: self.__dict__.__setitem__(key, value)
    )


class qMRMLWidget(QWidget):
    """A widget that knows the scene."""

    isStandIn = True
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        self.scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self.scene


class qSlicerScriptedLoadableModuleWidget(QWidget):
    """What a module's panel lies in."""

    isStandIn = True
    isEntered = setting(bool, False)


class Observing:
    """Observers of VTK objects that can be dropped together."""

    def __init__(self) -> None:
        self.tags: list[tuple[Any, int]] = []

    def observe(self, caller: Any, events: tuple[Any, ...], call: Any) -> None:
        for event in events:
            self.tags.append((caller, caller.AddObserver(event, call)))

    def drop(self) -> None:
        for caller, tag in self.tags:
            caller.RemoveObserver(tag)
        self.tags.clear()


class qMRMLNodeComboBox(QWidget):
    """Nodes of the scene to choose from."""

    isStandIn = True
    currentNodeChanged = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeTypes = setting("QVariant", [])
    showChildNodeTypes = setting(bool, True)
    addEnabled = setting(bool, True)
    removeEnabled = setting(bool, True)
    renameEnabled = setting(bool, False)
    noneEnabled = setting(bool, False)
    noneDisplay = setting(str, "None")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = QComboBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.combo)
        self.scene: Any = None
        self.nodes: list[Any] = []
        self.observing = Observing()
        self.setFocusProxy(self.combo)
        self.combo.currentIndexChanged.connect(self._chosen)

    def setMRMLScene(self, scene: Any) -> None:
        self.observing.drop()
        self.scene = scene
        if scene is not None:
            self.observing.observe(scene, (scene.NodeAddedEvent, scene.NodeRemovedEvent), lambda *_: self.fill())
            self.observing.observe(scene, (scene.EndCloseEvent, scene.EndImportEvent), lambda *_: self.renew())
        self.fill()

    def renew(self) -> None:
        """Lists all nodes anew. What was chosen is lost, and told so: in Slicer too (issue 4570 there)."""
        self.setCurrentNode(None)
        self.fill()

    def fill(self) -> None:
        """Lists the nodes that fit; the current one stays when it is still there."""
        current = self.currentNode()
        kinds = self.property("nodeTypes")
        fits = [
            node
            for kind in kinds
            for node in slicer.util.getNodesByClass(kind, self.scene)
            if self.property("showChildNodeTypes") or node.GetClassName() == kind
        ]
        self.combo.blockSignals(True)
        self.combo.clear()
        self.nodes = ([None] if self.property("noneEnabled") else []) + fits
        for node in self.nodes:
            self.combo.addItem(node.GetName() or "" if node is not None else self.property("noneDisplay"))
        kept = current if current in fits else None
        self.combo.setCurrentIndex(self.nodes.index(kept) if kept in self.nodes else -1)
        self.combo.blockSignals(False)
        if kept is not current:
            self.currentNodeChanged.emit(self.currentNode())

    def _chosen(self, _index: int) -> None:
        self.currentNodeChanged.emit(self.currentNode())

    def currentNode(self) -> Any:
        index = self.combo.currentIndex()
        return self.nodes[index] if 0 <= index < len(self.nodes) else None

    def setCurrentNode(self, node: Any) -> None:
        if node is not None and node not in self.nodes:
            self.fill()
        self.combo.setCurrentIndex(self.nodes.index(node) if node in self.nodes else -1)


class qMRMLSegmentsTableView(qMRMLWidget):
    """The segments of a segmentation: visibility, colour, name."""

    selectionChanged = Signal(QItemSelection, QItemSelection)
    headerVisible = setting(bool, True)
    opacityColumnVisible = setting(bool, True)
    statusColumnVisible = setting(bool, True)
    filterBarVisible = setting(bool, False)
    jumpToSelectedSegmentEnabled = setting(bool, False)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = QTableWidget(0, 3, self)
        self.table.horizontalHeader().hide()
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        for column, width in ((0, 28), (1, 28)):
            self.table.setColumnWidth(column, width)
        self.table.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        self.node: Any = None
        self.ids: list[str] = []
        self.filling = False
        self.observing = Observing()
        self.table.selectionModel().selectionChanged.connect(self.selectionChanged)
        self.table.itemChanged.connect(self._edited)
        self.table.itemClicked.connect(self._clicked)

    def setSelectionMode(self, mode: Any) -> None:
        self.table.setSelectionMode(QAbstractItemView.SelectionMode(mode))

    def setJumpToSelectedSegmentEnabled(self, enable: bool) -> None:
        self.setProperty("jumpToSelectedSegmentEnabled", enable)

    def setMRMLScene(self, scene: Any) -> None:
        if self.node is not None and self.node.GetScene() is not scene:
            self.setSegmentationNode(None)
        super().setMRMLScene(scene)

    def segmentationNode(self) -> Any:
        return self.node

    def setSegmentationNode(self, node: Any) -> None:
        self.observing.drop()
        self.node = node
        if node is not None:
            s = slicer.vtkSegmentation
            self.observing.observe(
                node,
                (s.SegmentAdded, s.SegmentRemoved, s.SegmentModified, vtk.vtkCommand.ModifiedEvent),
                lambda *_: self.fill(),
            )
        self.fill()

    def fill(self) -> None:
        """Lists the segments anew; the selected ones stay selected."""
        selected = self.selectedSegmentIDs()
        segmentation = self.node.GetSegmentation() if self.node is not None else None
        self.filling = True
        self.table.blockSignals(True)
        self.ids = list(segmentation.GetSegmentIDs()) if segmentation is not None else []
        self.table.setRowCount(len(self.ids))
        for row, identifier in enumerate(self.ids):
            segment = segmentation.GetSegment(identifier)
            pixels = QPixmap(14, 14)
            pixels.fill(QColor.fromRgbF(*segment.GetColor()))
            shown = self.node.GetDisplayNode() is None or self.node.GetDisplayNode().GetSegmentVisibility(identifier)
            for column, (text, icon) in enumerate(
                (("●" if shown else "○", None), ("", pixels), (segment.GetName(), None))
            ):
                item = QTableWidgetItem(text)
                if icon is not None:
                    item.setIcon(QIcon(icon))
                if column < 2:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, item)
        self.table.blockSignals(False)
        self.filling = False
        if [each for each in selected if each in self.ids] != self.selectedSegmentIDs():
            self.setSelectedSegmentIDs(selected)

    def selectedSegmentIDs(self) -> list[str]:
        rows = sorted({index.row() for index in self.table.selectionModel().selectedIndexes()})
        return [self.ids[row] for row in rows if row < len(self.ids)]

    def setSelectedSegmentIDs(self, identifiers: list[str]) -> None:
        self.table.clearSelection()
        for identifier in identifiers:
            if identifier in self.ids:
                self.table.selectRow(self.ids.index(identifier))

    def _edited(self, item: QTableWidgetItem) -> None:
        if not self.filling and item.column() == 2:
            self.node.GetSegmentation().GetSegment(self.ids[item.row()]).SetName(item.text())

    def _clicked(self, item: QTableWidgetItem) -> None:
        display = self.node.GetDisplayNode()
        if item.column() == 0 and display is not None:
            identifier = self.ids[item.row()]
            display.SetSegmentVisibility(identifier, not display.GetSegmentVisibility(identifier))


STAND_INS = (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentsTableView, ctkCollapsibleButton)
