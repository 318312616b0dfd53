"""The part of the logic that is about segments."""

from __future__ import annotations

from collections.abc import Sequence

from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.logic_core import LogicCore
from MSAMSegmentLib.segmentation_grid import ensureGeometry
from MSAMSegmentLib.translation import tr as _


class SegmentCalls(LogicCore):
    """Makes, selects, names and removes segments."""

    def createSegmentation(self) -> str:
        """Adds an empty segmentation to the scene, uses it from now on, and answers the id of its node.

        It gets the grid and the parent transform of the input volume.

        Raises:
            VolumeError: there is no input volume, or it cannot be segmented.
        """
        scan = self._scan()
        name = self.scene.GenerateUniqueName(_("Segmentation"))
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        ensureGeometry(node, scan.node)
        self.settings.segmentation = node
        if self.settings.show3D:
            self._surfaces.show3D(node, True)
        return str(node.GetID())

    def createSegment(self, name: str | None = None) -> str:
        """Adds an empty segment, selects it and answers its id. Makes a segmentation when there is none.

        Args:
            name: of the segment; None for the next free of "Lesion 1", "Lesion 2" ...

        Raises:
            VolumeError: there is no input volume, or it cannot be segmented.
        """
        if self.segmentation is None:
            self.createSegmentation()
        work = self._needWork()
        ensureGeometry(work.node, self._scan().node)
        segmentation = work.node.GetSegmentation()
        taken = {segmentation.GetSegment(each).GetName() for each in work.segmentIds()}
        words, number = _("Lesion {number}"), 1
        while words.format(number=number) in taken:
            number += 1
        segmentId = str(segmentation.AddEmptySegment("", name or words.format(number=number)))
        self.selectSegment(segmentId)
        return segmentId

    def removeSegment(self, segmentId: str) -> None:
        """Removes a segment with its points and its history. This cannot be undone.

        Raises:
            SceneError: there is no such segment.
        """
        work, segmentId = self._needSegment(segmentId)
        isShown3D = self.isShown3D
        work.node.GetSegmentation().RemoveSegment(segmentId)
        if isShown3D and not work.segmentIds():
            # That surfaces are shown is known from the surfaces there are, and the last one has just gone.
            self._surfaces.show3D(work.node, True)

    def renameSegment(self, segmentId: str, name: str) -> None:
        """Gives a segment another name.

        Raises:
            SceneError: there is no such segment, or the name is empty.
        """
        work, segmentId = self._needSegment(segmentId)
        if not name.strip():
            raise SceneError(_("A segment needs a name. Type one."))
        work.node.GetSegmentation().GetSegment(segmentId).SetName(name.strip())

    def setSegmentColor(self, segmentId: str, rgb: Sequence[float]) -> None:
        """Gives a segment another colour: red, green and blue from 0 to 1.

        Raises:
            SceneError: there is no such segment.
        """
        work, segmentId = self._needSegment(segmentId)
        work.node.GetSegmentation().GetSegment(segmentId).SetColor(*rgb)

    def setSegmentVisible(self, segmentId: str, isVisible: bool) -> None:
        """Shows or hides a segment in all views.

        Raises:
            SceneError: there is no such segment.
        """
        work, segmentId = self._needSegment(segmentId)
        work.node.CreateDefaultDisplayNodes()
        work.node.GetDisplayNode().SetSegmentVisibility(segmentId, isVisible)

    def segmentIds(self) -> list[str]:
        """The ids of all segments of the segmentation in use, in their order."""
        work = self._work()
        return [] if work is None else work.segmentIds()

    def selectSegment(self, segmentId: str) -> None:
        """Shows the points of a segment; from now on points are added to it. What is under way goes on.

        Raises:
            SceneError: there is no such segment.
        """
        segmentId = self._needSegment(segmentId)[1]
        self.settings.selectedSegmentId = segmentId

    def show3D(self, isShown: bool) -> None:
        """Shows or hides the segments as surfaces in the 3D views. Surfaces follow when clicking pauses."""
        # The setting last: who is told of it asks `isShown3D`.
        if self.segmentation is not None:
            self._surfaces.show3D(self.segmentation, isShown)
        self.settings.show3D = isShown

    @property
    def isShown3D(self) -> bool:
        """Whether segments are shown as surfaces."""
        return self.settings.show3D if self.segmentation is None else self._surfaces.isShown3D(self.segmentation)
