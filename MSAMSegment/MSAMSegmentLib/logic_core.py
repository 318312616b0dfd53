"""What all parts of the logic share: the scene, what is selected in it, the engine, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import slicer

from msam.errors import MsamError, VolumeError
from MSAMSegmentLib.engine_link import EngineLink
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.listeners import Listener, Listeners
from MSAMSegmentLib.place_mode import PlaceMode
from MSAMSegmentLib.preview import Preview
from MSAMSegmentLib.prompts import Prompts
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.scene_events import SceneEvents
from MSAMSegmentLib.segmentation_grid import ensureGeometry
from MSAMSegmentLib.settings import SceneSettings
from MSAMSegmentLib.status import LogicEvent
from MSAMSegmentLib.step_run import StepRunner
from MSAMSegmentLib.steps_under_way import StepsUnderWay
from MSAMSegmentLib.surfaces import IdleSurfaces
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Cancellable, Transport
from MSAMSegmentLib.volume_identity import sharesPlaces
from MSAMSegmentLib.worked_segmentation import WorkedSegmentation

BeforeWrite = Callable[[slicer.vtkMRMLSegmentationNode, str], None]

# Slicer's own undo brings several changes at once; this long after the last of them the points follow.
SETTLE_SECONDS = 0.2


class LogicCore:
    """The scene as the logic sees it. Everything else of the logic builds on this.

    Attributes:
        scene: the scene.
        settings: what the scene remembers of the choices.
        engine: where the engine is and whether it is well.
    """

    def __init__(self, transport: Transport | None = None, scene: slicer.vtkMRMLScene | None = None) -> None:
        """Begins with what is in the scene.

        Args:
            transport: the way to the engine; None for the application's, or the plain Python one outside of it.
            scene: None for the application's.
        """
        self.scene = slicer.mrmlScene if scene is None else scene
        self._transport: Transport = _defaultTransport() if transport is None else transport
        self._listeners = Listeners()
        self._beforeWrite: list[BeforeWrite] = []
        self._works: dict[Any, WorkedSegmentation] = {}
        self._preview: Preview | None = None
        self._following: dict[WorkedSegmentation, Cancellable] = {}
        self.settings = SceneSettings.of(self.scene)
        self.engine = EngineLink(self._transport, lambda: self._tell(LogicEvent.ENGINE))
        self._steps = StepsUnderWay(
            StepRunner(self.engine, self._transport),
            self._transport.now,
            lambda: self.settings.writeOptions(),
            self._tell,
            self._onRefined,
            self._pointsChanged,
        )
        self._surfaces = IdleSurfaces(self._transport, scene=self.scene)
        self._prompts = Prompts(self.scene)
        self._placeMode = PlaceMode(self.scene, self._prompts, lambda _active: self._tell(LogicEvent.PLACING))
        self._selection: tuple[Any, ...] = (None, None, "")
        self._events = SceneEvents(self.scene, self)
        self.onSettingsModified()

    def close(self) -> None:
        """Ends the engine and stops observing the scene, in which everything stays as it is."""
        self._steps.cancel()
        self._listeners.clear()
        self._events.close()
        self._placeMode.close()
        self._prompts.close()
        self._surfaces.close()
        self._works.clear()
        self.engine.close()
        self._transport.close()

    # Who is told

    def addListener(self, callback: Listener) -> None:
        """Calls back on the main thread with the `LogicEvent` of everything that changes."""
        self._listeners.add(callback)

    def removeListener(self, callback: Listener) -> None:
        """Calls back no more."""
        self._listeners.remove(callback)

    def addBeforeWrite(self, callback: BeforeWrite) -> None:
        """Calls with the segmentation and the segment's id before voxels are written, for others to save theirs."""
        self._beforeWrite.append(callback)

    def _tell(self, *events: LogicEvent) -> None:
        self._listeners.tell(*events)

    # What is selected

    def setInputVolume(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Chooses the scan that is clicked on.

        Raises:
            VolumeError: it cannot be segmented; the text says why.
        """
        if node is not None:
            Scan.of(node)
        self.settings.inputVolume = node

    @property
    def inputVolume(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The scan that is clicked on."""
        return self.settings.inputVolume

    def setSegmentation(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Chooses the segmentation; its first segment is selected unless the selected one is in it."""
        self.settings.segmentation = node

    @property
    def segmentation(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The segmentation in use; None until there is one."""
        return self.settings.segmentation

    @property
    def selectedSegment(self) -> str:
        """The id of the segment whose points are shown and changed; "" for none."""
        work = self._work()
        selected = self.settings.selectedSegmentId
        return selected if work is not None and selected and work.hasSegment(selected) else ""

    def _scan(self) -> Scan:
        """The scan in use.

        Raises:
            VolumeError: there is none, or it cannot be segmented.
        """
        return Scan.of(self.inputVolume)

    def _scanFor(self, work: WorkedSegmentation) -> Scan:
        """The scan in use, from which a segmentation that was loaded without a grid gets one.

        Raises:
            VolumeError: there is none, or it cannot be segmented.
            SceneError: the segmentation holds surfaces instead of voxels, or a transform is not linear.
        """
        scan = self._scan()
        ensureGeometry(work.node, scan.node)
        return scan

    def _work(self) -> WorkedSegmentation | None:
        """The segmentation in use, with its history."""
        node = self.segmentation
        if node is None:
            return None
        if node not in self._works:
            self._works[node] = WorkedSegmentation(node, self._writing)
            self._events.watchSegmentation(node)
        return self._works[node]

    def _needWork(self) -> WorkedSegmentation:
        work = self._work()
        if work is None:
            raise SceneError(_("There is no segmentation yet. Choose one, or click on the lesion to make one."))
        return work

    def _look(self, work: WorkedSegmentation, segmentId: str) -> None:
        """Takes note of what others did to a segment, also where nothing has given its segmentation a grid so far."""
        with suppress(VolumeError):
            self._scanFor(work)
        work.look(segmentId)

    def _needSegment(self, segmentId: str | None) -> tuple[WorkedSegmentation, str]:
        """The segment that is meant; the selected one for None."""
        work = self._needWork()
        segmentId = self.selectedSegment if segmentId is None else segmentId
        if not segmentId or not work.hasSegment(segmentId):
            raise SceneError(_("There is no such segment. Select one, or make a new one."))
        return work, segmentId

    def _showPoints(self) -> None:
        """Shows the points of the selected segment in the views, unless they are places in another scan."""
        work, segmentId = self._work(), self.selectedSegment
        if work is None or not segmentId or self.inputVolume is None:
            self._prompts.show((), None)
            return
        try:
            scan = self._scan()
        except MsamError:
            self._prompts.show((), None)
            return
        record = work.record(segmentId)
        self._prompts.show(record.points if sharesPlaces(record, scan) else (), scan)

    def _pointsChanged(self) -> None:
        self._showPoints()
        self._tell(LogicEvent.POINTS, LogicEvent.HISTORY)

    # What the parts of the logic need from each other

    @contextmanager
    def _writing(self, node: slicer.vtkMRMLSegmentationNode, segmentId: str) -> Iterator[None]:
        """Around every change of voxels."""
        for callback in self._beforeWrite:
            callback(node, segmentId)
        with self._surfaces.writing(node, segmentId):
            yield

    def _onRefined(self, want: Any) -> None:
        if self._preview is not None and self._preview.want is want:
            self._preview.steps += 1
            self._tell(LogicEvent.PREVIEW)

    # What happens in the scene (`scene_events.SceneReceiver`)

    def onSceneReplaced(self) -> None:
        """Takes up what is in the scene now."""
        for node in [node for node in self._works if node.GetScene() is not self.scene]:
            self.onNodeLeaving(node)
        self.settings = SceneSettings.of(self.scene)
        self._steps.forgetOutcome()
        self._selection = ()  # unlike any selection, so that whatever is in the scene now is told, nothing included
        self.onSettingsModified()

    def onNodeLeaving(self, node: Any) -> None:
        """Lets go of a node: what was under way with it ends without a word."""
        if self._preview is not None and self._preview.want.concerns(node):
            self._preview = None
        self._steps.forget(node)
        work = self._works.pop(node, None)
        if work is not None:
            self._stopFollowing(work)
            self._surfaces.forget(node)
        if node in self._selection:
            self._prompts.show((), None)
            self._selection = (None, None, "")
        self._events.leave(node)

    def onSettingsModified(self) -> None:
        """Takes up what the parameter node says now."""
        self._events.watchSettings(self.settings.parameterNode)
        work = self._work()
        if work is not None and not self.selectedSegment:
            first = next(iter(work.segmentIds()), "")
            if first != self.settings.selectedSegmentId:
                self.settings.selectedSegmentId = first  # which comes back here
                return
        selection = (self.inputVolume, self.segmentation, self.selectedSegment)
        if selection != self._selection:
            self._selection = selection
            self._preview = None
            if not self._steps.lastError:  # which stays until it is tried again
                self._steps.say("")  # what was said is about another segment
            self._events.watchVolume(selection[0])
            self._showPoints()
            self._tell(LogicEvent.SELECTION, LogicEvent.SEGMENTS, LogicEvent.POINTS)
            self._tell(LogicEvent.HISTORY, LogicEvent.PREVIEW, LogicEvent.STATUS)
        self._tell(LogicEvent.SETTINGS)

    def onVolumeModified(self) -> None:
        """Keeps the points where they belong in the volume."""
        self._showPoints()

    def onSegmentsModified(self, segmentationNode: Any) -> None:
        """Lets go of segments that were removed, and tells of what others have changed."""
        work = self._works.get(segmentationNode)
        if work is None or work.isWriting:
            return
        gone = work.forgetRemoved()
        for segmentId in gone:
            if self._preview is not None and self._preview.want.concerns(segmentationNode, segmentId):
                self._preview = None
            self._steps.forget(segmentationNode, segmentId)
        if segmentationNode is self.segmentation:
            self.onSettingsModified()
            self._tell(LogicEvent.SEGMENTS, *((LogicEvent.HISTORY,) if gone else ()))
        # Slicer's own undo of voxels tells of nothing but modified segments.
        work.isDisturbed = True
        self._followSoon(work)

    def onGridModified(self, segmentationNode: Any) -> None:
        """Takes masks and records of a segmentation to its new grid."""
        work = self._works.get(segmentationNode)
        if work is not None and work.settleOnGrid():
            self._tell(LogicEvent.HISTORY)

    def onVoxelsModified(self, segmentationNode: Any) -> None:
        """Looks a little later whether somebody else has undone something, so that the points follow."""
        work = self._works.get(segmentationNode)
        if work is not None and not work.isWriting:
            work.isDisturbed = True
            self._followSoon(work)

    def _followSoon(self, work: WorkedSegmentation) -> None:
        self._stopFollowing(work)
        self._following[work] = self._transport.callLater(SETTLE_SECONDS, lambda: self._follow(work))

    def _stopFollowing(self, work: WorkedSegmentation) -> None:
        waiting = self._following.pop(work, None)
        if waiting is not None:
            waiting.cancel()

    def _follow(self, work: WorkedSegmentation) -> None:
        del self._following[work]
        if self._steps.isBusy:
            self._followSoon(work)
            return
        with suppress(SceneError):  # it holds surfaces instead of voxels by now; whoever goes on is told
            if work.follow():
                self._pointsChanged()


def _defaultTransport() -> Transport:
    """Qt's inside of the application; plain Python's elsewhere."""
    try:
        from MSAMSegmentLib.qt_transport import QtTransport
    except ImportError:
        from MSAMSegmentLib.asyncio_transport import AsyncioTransport

        return AsyncioTransport()
    return QtTransport()
