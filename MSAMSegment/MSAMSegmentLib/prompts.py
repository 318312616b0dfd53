"""The points of the selected segment in the views, and what the user does to them there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import slicer
import vtk

from MSAMSegmentLib.observers import Observers
from MSAMSegmentLib.point_list import PointList, Position
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.prompt_nodes import find_nodes, make_node

if TYPE_CHECKING:
    from MSAMSegmentLib.scans import Scan


class PromptListener(Protocol):
    """Who is told what the user does to the points. Positions are in the world (RAS, mm).

    To accept what was done, call `Prompts.show` with the changed points, from within the callback. What is not
    accepted is undone in the views: the point is taken out, put back, or goes back to where it was.
    """

    def onAdded(self, positionWorld: Position, positive: bool) -> object:
        """A point was placed."""

    def onMoved(self, identifier: int, positionWorld: Position) -> object:
        """A point was moved; a drag counts when it ends."""

    def onRemoved(self, identifier: int) -> object:
        """A point was removed."""


class Prompts:
    """Two markups nodes, one for positive and one for negative points, which show what `show` was given last.

    The truth about points is the segments' records; these nodes are a picture of them that can be clicked on. So a
    node that is deleted is made again with its points, and the nodes are not saved with the scene. Clicks count when
    their point is defined; the preview that follows the mouse never does.

    Several may show points in one scene, and so in the same nodes; whatever the user does is told to one of them only.

    Attributes:
        listener: who is told; None for nobody, and then nothing that the user does is accepted.
        onNodesMade: called after nodes were made again in place of deleted ones.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, listener: PromptListener | None = None) -> None:
        self.listener = listener
        self.onNodesMade: Callable[[], None] | None = None
        self._scene = scene
        self._lists: dict[bool, PointList] = {}
        self._points: tuple[Point, ...] = ()
        self._volume: Any = None
        self._silent = 0
        self._areNodesMissing = False
        self._observers = Observers()
        self._observers.addWithObject(scene, slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved)
        for event in (slicer.vtkMRMLScene.EndBatchProcessEvent, slicer.vtkMRMLScene.EndImportEvent):
            self._observers.add(scene, event, self._onSceneSettled)
        self._observers.add(scene, slicer.vtkMRMLScene.EndCloseEvent, self._onSceneClosed)

    @property
    def points(self) -> tuple[Point, ...]:
        """What is shown."""
        return self._points

    def nodes(self) -> tuple[slicer.vtkMRMLMarkupsFiducialNode, slicer.vtkMRMLMarkupsFiducialNode]:
        """The markups nodes of the positive and of the negative points; found by their role or made."""
        return self._list(True).node, self._list(False).node

    def existingNodes(self) -> dict[bool, slicer.vtkMRMLMarkupsFiducialNode]:
        """The nodes that there are by now, by sign; makes none."""
        return {positive: entry.node for positive, entry in self._lists.items()}

    def show(self, points: Sequence[Point], scan: Scan | None) -> None:
        """Shows exactly these points, without any callback; none of them without a scan.

        While the user drags a point this waits for the end of the drag, and from within a callback for its end.
        """
        self._points = tuple(points) if scan is not None else ()
        self._follow(scan.node if scan is not None else None)
        self._apply()

    def close(self) -> None:
        """Stops observing; the nodes stay as they are."""
        self._observers.clear()
        self._lists.clear()
        self._volume = None
        self.listener = None
        self.onNodesMade = None

    # The nodes

    def _list(self, positive: bool) -> PointList:
        if positive not in self._lists:
            found = find_nodes(self._scene, positive)
            with self._silence():
                node = found[0] if found else make_node(self._scene, positive)
                node.CreateDefaultDisplayNodes()
                for surplus in found[1:]:
                    self._scene.RemoveNode(surplus)
            self._lists[positive] = PointList.of(node)
            self._observeNode(node, positive)
        return self._lists[positive]

    def _observeNode(self, node: slicer.vtkMRMLMarkupsFiducialNode, positive: bool) -> None:
        kind = slicer.vtkMRMLMarkupsNode
        reactions = (
            (self._onSettled, kind.PointPositionDefinedEvent),
            (self._onSettled, kind.PointPositionNonMissingEvent),
            (self._onSettled, kind.PointPositionUndefinedEvent),
            (self._onSettled, kind.PointPositionMissingEvent),
            (self._onSettled, kind.PointRemovedEvent),
            (self._onModified, kind.PointModifiedEvent),
            (self._onDragStarted, kind.PointStartInteractionEvent),
            (self._onDragEnded, kind.PointEndInteractionEvent),
        )
        for reaction, event in reactions:
            self._observers.add(node, event, reaction, positive)
        self._observers.add(self._lists[positive].display, vtk.vtkCommand.ModifiedEvent, self._onHovered, positive)

    def _forget(self, positive: bool) -> None:
        entry = self._lists.pop(positive)
        self._observers.removeFrom(entry.node, entry.display)

    # What is shown

    def _follow(self, volume: Any) -> None:
        """The nodes go where the volume goes."""
        if volume is self._volume:
            return
        if self._volume is not None:
            self._observers.removeFrom(self._volume)
        self._volume = volume
        if volume is not None:
            event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
            self._observers.add(volume, event, self._apply)

    def _apply(self) -> None:
        if self._silent or any(entry.isDragging for entry in self._lists.values()):
            return
        wanted = self._wanted()
        if not self._lists and not any(wanted.values()):
            return
        entries = {positive: self._list(positive) for positive in (True, False)}
        with self._silence():
            for positive, entry in entries.items():
                transform = self._volume.GetTransformNodeID() if self._volume is not None else None
                if entry.node.GetTransformNodeID() != transform:
                    entry.node.SetAndObserveTransformNodeID(transform)
                entry.show(wanted[positive])

    def _wanted(self) -> dict[bool, dict[int, Position]]:
        """Positions in the volume's own coordinates, by sign and identifier."""
        wanted: dict[bool, dict[int, Position]] = {True: {}, False: {}}
        if self._volume is None:
            return wanted
        matrix = vtk.vtkMatrix4x4()
        self._volume.GetIJKToRASMatrix(matrix)
        for point in self._points:
            x, y, z, _ = matrix.MultiplyPoint((*point.positionIjk, 1.0))
            wanted[point.positive][point.identifier] = (x, y, z)
        return wanted

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._silent += 1
        try:
            with PointList.silence(self._lists.values()):
                yield
        finally:
            self._silent -= 1

    # What the user does

    def _onSettled(self, positive: bool) -> None:
        """Tells all that is different, then shows what the listener made of it.

        All is looked at before anything is told, since every answer is a change of its own.
        """
        entry = self._lists.get(positive)
        if entry is None or self._silent or entry.isSilent:
            return
        removed = entry.removed()
        moved = [] if entry.isDragging else entry.moved()
        added = entry.added()
        entry.learn(keepPositions=entry.isDragging)
        if not (removed or moved or added):
            return
        if self.listener is not None:
            with self._silence():
                for identifier in removed:
                    self.listener.onRemoved(identifier)
                for identifier, position in moved:
                    self.listener.onMoved(identifier, position)
                for position in added:
                    self.listener.onAdded(position, positive)
        self._apply()
        for sign in (True, False):  # what was done while a callback kept the event loop going
            self._onSettled(sign)

    def _onModified(self, positive: bool) -> None:
        """In the middle of a click or a removal this comes first; the event that settles it is still to come."""
        entry = self._lists.get(positive)
        if entry is not None and not entry.isDragging and not entry.removed() and not entry.added():
            self._onSettled(positive)

    def _onDragStarted(self, positive: bool) -> None:
        if positive in self._lists:
            self._lists[positive].isDragging = True

    def _onDragEnded(self, positive: bool) -> None:
        entry = self._lists.get(positive)
        if entry is not None and entry.isDragging:
            entry.isDragging = False
            self._onSettled(positive)
            self._apply()

    def _onHovered(self, positive: bool) -> None:
        """The key that snaps a point to the slice starts an interaction that never ends; leaving the point ends it."""
        entry = self._lists.get(positive)
        if entry is not None and entry.isDragging and not entry.display.HasActiveComponent():
            self._onDragEnded(positive)

    # What happens around

    def _onNodeRemoved(self, node: Any) -> None:
        if node is self._volume:
            self._follow(None)
            self._points = ()
        mine = [positive for positive, entry in self._lists.items() if entry.node is node]
        for positive in mine:
            self._forget(positive)
        self._areNodesMissing |= bool(mine) and not self._scene.IsClosing()
        if not self._scene.IsBatchProcessing():
            self._makeMissingAgain()

    def _onSceneSettled(self) -> None:
        """An import may have brought a second pair of nodes; a batch may have deleted the first."""
        if any(len(find_nodes(self._scene, positive)) > 1 for positive in (True, False)):
            for positive in list(self._lists):
                self._forget(positive)
            self._areNodesMissing = True
        self._makeMissingAgain()

    def _onSceneClosed(self) -> None:
        self._follow(None)
        self._points = ()
        self._areNodesMissing = False
        for positive in list(self._lists):
            self._forget(positive)

    def _makeMissingAgain(self) -> None:
        if not self._areNodesMissing:
            return
        self._areNodesMissing = False
        self.nodes()
        self._apply()
        if self.onNodesMade is not None:
            self.onNodesMade()
