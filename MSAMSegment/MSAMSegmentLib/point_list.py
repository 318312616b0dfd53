"""What one markups node shows, against what is known of it: the difference is what the user did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar
from weakref import WeakValueDictionary

import slicer

Position = tuple[float, float, float]

# Markups keep doubles; anything less than this (mm) is the rounding of a transform there and back.
SAME_PLACE = 1e-6


class PointList:
    """The defined control points of a markups node, matched by their IDs and never by their index.

    A preview, the mark that follows the mouse while placing, is not defined and so does not exist here. Positions are
    in the node's own coordinates, which are those of the volume without its parent transform, in mm.

    There is one list for a node (`of`). Several logics may show points in the same node; as they share what is known of
    it, what one of them draws is no click to another, and what the user does is told to one of them only.

    Attributes:
        node: the markups node.
        display: its display node.
        isDragging: a point is being dragged; its positions are of no interest until that ends.
    """

    _all: ClassVar[WeakValueDictionary[slicer.vtkMRMLMarkupsFiducialNode, PointList]] = WeakValueDictionary()

    @classmethod
    def of(cls, node: slicer.vtkMRMLMarkupsFiducialNode) -> PointList:
        """The list of a node, for as long as anybody keeps it."""
        found = cls._all.get(node)
        if found is None:
            found = cls._all[node] = cls(node)
        return found

    def __init__(self, node: slicer.vtkMRMLMarkupsFiducialNode) -> None:
        self.node = node
        self.display = node.GetDisplayNode()
        self.isDragging = False
        self._silent = 0
        self._known: dict[str, Position] = self.defined()
        self._identifiers: dict[str, int] = {}

    @property
    def isSilent(self) -> bool:
        """Whether the module itself is changing the node, or is still dealing with what the user did."""
        return self._silent > 0

    def defined(self) -> dict[str, Position]:
        """Position by control point ID, in the order of the node."""
        node, status = self.node, slicer.vtkMRMLMarkupsNode.PositionDefined
        return {
            node.GetNthControlPointID(index): tuple(node.GetNthControlPointPosition(index))
            for index in range(node.GetNumberOfControlPoints())
            if node.GetNthControlPointPositionStatus(index) == status
        }

    def added(self) -> list[Position]:
        """World positions (RAS, mm) of the control points that are new."""
        return [self._world(key) for key in self.defined() if key not in self._known]

    def removed(self) -> list[int]:
        """Identifiers of the points that are no longer there."""
        present = self.defined()
        return [name for key, name in self._identifiers.items() if key not in present]

    def moved(self) -> list[tuple[int, Position]]:
        """Identifiers and world positions (RAS, mm) of the points that are elsewhere now."""
        return [
            (self._identifiers[key], self._world(key))
            for key, position in self.defined().items()
            if key in self._identifiers and is_apart(position, self._known[key])
        ]

    def learn(self, keepPositions: bool) -> None:
        """Takes what there is for known. Moves can be left for later."""
        present = self.defined()
        self._identifiers = {key: name for key, name in self._identifiers.items() if key in present}
        self._known = present | {key: self._known[key] for key in self._known if keepPositions and key in present}

    def show(self, wanted: Mapping[int, Position]) -> None:
        """Makes the node show exactly these points, by identifier, touching nothing that is right already.

        Control points that were placed and told have no identifier yet: they become the wanted points that are not
        shown yet, in the order of both. Those that are still to be told stay as they are.
        """
        present = {key: position for key, position in self.defined().items() if key in self._known}
        names = {key: name for key, name in self._identifiers.items() if key in present and name in wanted}
        missing = [name for name in wanted if name not in names.values()]
        unnamed = [key for key in present if key not in self._identifiers]
        names |= dict(zip(unnamed, missing, strict=False))
        surplus = [key for key in present if key not in names]
        absent = missing[len(unnamed) :]
        if surplus or absent:
            self._forgetIndices()
        for key in surplus:
            self.node.RemoveNthControlPoint(self._index(key))
        for key, name in names.items():
            if is_apart(wanted[name], present[key]):
                self.node.SetNthControlPointPosition(self._index(key), *wanted[name])
        for name in absent:
            names[self.node.GetNthControlPointID(self.node.AddControlPoint(*wanted[name]))] = name
        self._identifiers = names
        self._known = {key: position for key, position in self.defined().items() if key in names}

    @staticmethod
    @contextmanager
    def silence(lists: Iterable[PointList]) -> Iterator[None]:
        """Meanwhile no change of these lists is taken for the user's."""
        silenced = tuple(lists)
        for each in silenced:
            each._silent += 1
        try:
            yield
        finally:
            for each in silenced:
                each._silent -= 1

    def _forgetIndices(self) -> None:
        """Views remember their preview and the point under the mouse by index, and indices are about to shift: the one
        would stay behind as the mark of no point, and the delete key would take another point than the one seen."""
        for index in reversed(range(self.node.GetNumberOfControlPoints())):
            if self.node.GetNthControlPointPositionStatus(index) == slicer.vtkMRMLMarkupsNode.PositionPreview:
                self.node.RemoveNthControlPoint(index)
        self.display.SetActiveControlPoint(-1)

    def _world(self, controlPoint: str) -> Position:
        world = [0.0, 0.0, 0.0]
        self.node.GetNthControlPointPositionWorld(self._index(controlPoint), world)
        return world[0], world[1], world[2]

    def _index(self, controlPoint: str) -> int:
        for index in range(self.node.GetNumberOfControlPoints()):
            if self.node.GetNthControlPointID(index) == controlPoint:
                return index
        raise KeyError(controlPoint)


def is_apart(first: Position, second: Position) -> bool:
    """Whether two positions (mm) are not the same place."""
    return any(abs(a - b) > SAME_PLACE for a, b in zip(first, second, strict=True))
