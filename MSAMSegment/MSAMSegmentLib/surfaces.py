"""Surfaces in 3D, rebuilt when the user pauses.

Slicer rebuilds the surface of a segment at every change of its voxels, which takes up to a second. While clicking
goes on, the surface of the last pause stays in view instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import slicer

from MSAMSegmentLib.transport import Cancellable, Transport

SURFACE = "Closed surface"


class IdleSurfaces:
    """Keeps the surfaces of segments up to date without being in the way.

    Nodes are remembered by their id, so nothing that is removed from the scene is kept.
    """

    def __init__(self, transport: Transport, idleSeconds: float = 0.4, scene: Any = None) -> None:
        """Begins with nothing to do.

        Args:
            transport: whose event loop calls back.
            idleSeconds: without a change, after which surfaces are rebuilt.
            scene: of the segmentations; None for the application's.
        """
        self._transport = transport
        self._scene = slicer.mrmlScene if scene is None else scene
        self._idle_seconds = idleSeconds
        self._outdated: defaultdict[str, set[str]] = defaultdict(set)
        # Nodes to be shown that have had no segment to make a surface of.
        self._wanted: set[str] = set()
        self._timer: Cancellable | None = None

    def isShown3D(self, segmentationNode: Any) -> bool:
        """Whether a segmentation has surfaces, or gets them with its first segment."""
        return segmentationNode.GetID() in self._wanted or _has_surfaces(segmentationNode)

    def show3D(self, segmentationNode: Any, shown: bool) -> None:
        """Makes the surfaces of a segmentation, or takes them away, as the button Show 3D of Slicer does."""
        node_id = segmentationNode.GetID()
        if not shown:
            self._wanted.discard(node_id)
            self._outdated.pop(node_id, None)
            segmentationNode.RemoveClosedSurfaceRepresentation()
            return
        segmentationNode.CreateDefaultDisplayNodes()
        display = segmentationNode.GetDisplayNode()
        display.SetPreferredDisplayRepresentationName3D(SURFACE)
        display.SetVisibility3D(True)
        self._wanted.add(node_id)
        self._rebuild(node_id)

    @contextmanager
    def writing(self, segmentationNode: Any, segmentId: str) -> Iterator[None]:
        """Within it, voxels of a segment are written without its surface being rebuilt; that follows in a pause."""
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        surface = segment.GetRepresentation(SURFACE) if segment is not None else None
        if surface is None:
            try:
                yield
            finally:
                self.touched(segmentationNode)  # its first surface, where surfaces are shown
            return
        segment.RemoveRepresentation(SURFACE)
        try:
            yield
        finally:
            if segment.GetRepresentation(SURFACE) is None:
                segment.AddRepresentation(SURFACE, surface)
                self._outdated[segmentationNode.GetID()].add(segmentId)
            self.touched(segmentationNode)

    def touched(self, segmentationNode: Any) -> None:
        """Voxels were written: surfaces follow as soon as nothing has been written for a while."""
        if not self.isShown3D(segmentationNode):
            return
        self._outdated[segmentationNode.GetID()]
        self._stop_waiting()
        self._timer = self._transport.callLater(self._idle_seconds, self.rebuild)

    def rebuild(self) -> None:
        """Rebuilds what is outdated now, without waiting for a pause."""
        self._stop_waiting()
        for node_id in list(self._outdated):
            self._rebuild(node_id)

    def forget(self, segmentationNode: Any) -> None:
        """Lets go of a segmentation that leaves the scene: another one may get its id."""
        self._wanted.discard(segmentationNode.GetID())
        self._outdated.pop(segmentationNode.GetID(), None)

    def close(self) -> None:
        """Rebuilds what is outdated, and then waits for nothing any more."""
        self.rebuild()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rebuild(self, node_id: str) -> None:
        outdated = self._outdated.pop(node_id, set())
        node = self._scene.GetNodeByID(node_id)
        segmentation = node.GetSegmentation() if node is not None and node.IsA("vtkMRMLSegmentationNode") else None
        if segmentation is None:
            self._wanted.discard(node_id)
            return
        if not self.isShown3D(node) or segmentation.GetNumberOfSegments() == 0:
            return
        self._wanted.discard(node_id)
        for segment_id in outdated:
            segment = segmentation.GetSegment(segment_id)
            if segment is not None:
                segment.RemoveRepresentation(SURFACE)
        # Makes those that are missing only.
        node.CreateClosedSurfaceRepresentation()


def _has_surfaces(segmentationNode: Any) -> bool:
    segmentation = segmentationNode.GetSegmentation()
    return segmentation is not None and any(
        segmentation.GetNthSegment(number).GetRepresentation(SURFACE) is not None
        for number in range(segmentation.GetNumberOfSegments())
    )
