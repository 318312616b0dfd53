"""A listener of the prompts that keeps points the way the module does, and a log of what it was told."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import slicer
import vtk

from MSAMSegmentLib.points import Point
from MSAMSegmentLib.prompts import Prompts


def ijk_to_world(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """The matrix from voxels (i, j, k) to the world, parent transforms included."""
    own, parent = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(own)
    if volume.GetParentTransformNode() is not None:
        volume.GetParentTransformNode().GetMatrixTransformToWorld(parent)
    to_array = lambda matrix: np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])  # noqa: E731
    return to_array(parent) @ to_array(own)


class PromptLog:
    """Keeps the points of one segment in voxels and shows them again after each change."""

    def __init__(self, scene: slicer.vtkMRMLScene, volume: slicer.vtkMRMLVolumeNode) -> None:
        self.scan = SimpleNamespace(node=volume)
        self.points: list[Point] = []
        self.told: list[tuple] = []
        self.refuses = False
        self._last = 0
        self.prompts = Prompts(scene, self)

    def show(self, *points: Point) -> None:
        """Shows points as if a segment with them had been selected."""
        self.points = list(points)
        self._last = max([self._last, *(point.identifier for point in points)])
        self.prompts.show(self.points, self.scan)

    def onAdded(self, positionWorld: tuple, positive: bool) -> None:
        self.told.append(("added", tuple(np.round(positionWorld, 6)), positive))
        if self.refuses:
            return
        self._last += 1
        ijk = np.linalg.inv(ijk_to_world(self.scan.node)) @ (*positionWorld, 1)
        self.points.append(Point(self._last, tuple(ijk[:3]), positive))
        self.prompts.show(self.points, self.scan)

    def onMoved(self, identifier: int, positionWorld: tuple) -> None:
        self.told.append(("moved", identifier, tuple(np.round(positionWorld, 6))))
        if self.refuses:
            return
        ijk = np.linalg.inv(ijk_to_world(self.scan.node)) @ (*positionWorld, 1)
        self.points = [
            Point(identifier, tuple(ijk[:3]), point.positive) if point.identifier == identifier else point
            for point in self.points
        ]
        self.prompts.show(self.points, self.scan)

    def onRemoved(self, identifier: int) -> None:
        self.told.append(("removed", identifier))
        self.points = [point for point in self.points if point.identifier != identifier]
        self.prompts.show(self.points, self.scan)

    def takeTold(self) -> list[tuple]:
        """What was told since the last call."""
        told, self.told = self.told, []
        return told

    def seen(self) -> set[tuple]:
        """What the two nodes show: sign and world position, rounded to 1e-4 mm; previews too, as (None, ...)."""
        found = set()
        for node, positive in zip(self.prompts.nodes(), (True, False), strict=True):
            for index in range(node.GetNumberOfControlPoints()):
                world = [0.0, 0.0, 0.0]
                node.GetNthControlPointPositionWorld(index, world)
                defined = node.GetNthControlPointPositionStatus(index) == node.PositionDefined
                found.add((positive if defined else None, tuple(np.round(world, 4) + 0.0)))
        return found

    def expected(self) -> set[tuple]:
        """What the nodes should show."""
        matrix = ijk_to_world(self.scan.node)
        return {
            (point.positive, tuple(np.round((matrix @ (*point.positionIjk, 1))[:3], 4) + 0.0)) for point in self.points
        }
