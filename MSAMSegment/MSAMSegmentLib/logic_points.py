"""The part of the logic that is about points: added, moved, flipped and removed, by call or with the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from msam.errors import MsamError, PromptError, VolumeError
from msam.protocol.masks import EMPTY
from msam.protocol.names import MOST_POINTS
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.history import StepKind
from MSAMSegmentLib.logic_segments import SegmentCalls
from MSAMSegmentLib.masking import isHidden, isLocked
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segment_record import SegmentRecord
from MSAMSegmentLib.segmentation_grid import ensureGeometry
from MSAMSegmentLib.segments import isReached
from MSAMSegmentLib.status import LogicEvent
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.volume_identity import identityOf, sharesPlaces
from MSAMSegmentLib.worked_segmentation import EXACTLY, WorkedSegmentation

Position = Sequence[float]


class PointCalls(SegmentCalls):
    """Changes the points of the selected segment; the mask follows as soon as the engine has answered."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """See `LogicCore`."""
        super().__init__(*arguments, **named)
        self._prompts.listener = self

    def addPoint(self, positionRas: Position, positive: bool = True) -> int:
        """Adds a point to the selected segment, and answers its identifier. Makes a segment when there is none.

        Args:
            positionRas: in the world, (3,) in mm.
            positive: whether the lesion is there, or is not.

        Raises:
            PromptError: the position lies outside of the scan, or where the segmentation cannot hold anything, or there
                are too many points. Nothing has changed then.
            VolumeError: there is no scan, or it cannot be segmented.
            SceneError: the segment cannot be written.
        """
        scan = self._scan()
        place = _placeIn(scan, positionRas)
        if positive:
            self._checkReach(scan, place)
        if not self.selectedSegment:
            self.createSegment()
        work, segmentId = self._ready(scan)
        record = work.record(segmentId)
        if len(record.points) >= MOST_POINTS:
            raise PromptError(
                _("A segment can have {most} points at most. Remove or move one instead.").format(most=MOST_POINTS)
            )
        point = Point(record.nextIdentifier, place, positive)
        if isHidden(work.node, segmentId):  # who clicks wants to see what comes of it
            self.setSegmentVisible(segmentId, True)
        self._setPoints(work, segmentId, scan, (*record.points, point))
        return point.identifier

    def movePoint(self, identifier: int, positionRas: Position) -> None:
        """Moves a point of the selected segment to a position in the world, (3,) in mm.

        Raises:
            PromptError: the position lies outside of the scan, or a positive point would be where the segmentation
                cannot hold anything, or there is no such point. Nothing has changed then.
            VolumeError: there is no scan, or it cannot be segmented.
            SceneError: the segment cannot be written.
        """
        scan = self._scan()
        place = _placeIn(scan, positionRas)
        if any(point["identifier"] == identifier and point["positive"] for point in self.points()):
            self._checkReach(scan, place)
        self._changePoint(identifier, lambda point: (replace(point, positionIjk=place),))

    def flipPoint(self, identifier: int) -> None:
        """Makes a positive point of the selected segment a negative one, and the other way round.

        Raises:
            PromptError, VolumeError, SceneError: as in `movePoint`.
        """
        self._changePoint(identifier, lambda point: (replace(point, positive=not point.positive),))

    def removePoint(self, identifier: int) -> None:
        """Removes a point of the selected segment.

        Raises:
            PromptError, VolumeError, SceneError: as in `movePoint`.
        """
        self._changePoint(identifier, lambda point: ())

    def clearPoints(self) -> None:
        """Removes all points of the selected segment and empties it, in one step that can be undone.

        Raises:
            SceneError: no segment is selected, or it cannot be written.
        """
        work, segmentId = self._needSegment(None)
        self._acceptPreview()
        self._look(work, segmentId)
        record = work.record(segmentId)
        self._steps.forget(work.node, segmentId)
        cleared = SegmentRecord(volumeIdentity=record.volumeIdentity, lastIdentifier=record.nextIdentifier - 1)
        if work.mask(segmentId).voxels.any() or record.points or record.base is not None:
            work.write(segmentId, EMPTY, cleared, StepKind.CLEAR, _("clear"), EXACTLY, None)
        self._pointsChanged()

    def points(self, segmentId: str | None = None) -> list[dict[str, Any]]:
        """The points of a segment, of the selected one for None, in the order of their placement.

        Returns:
            For each its "identifier", "positionRas" in the world (3,) in mm, and whether it is "positive". None while
            there is no scan that they are places in.
        """
        work = self._work()
        segmentId = self.selectedSegment if segmentId is None else segmentId
        if work is None or self.inputVolume is None or not segmentId or not work.hasSegment(segmentId):
            return []
        try:
            scan, record = self._scan(), work.record(segmentId)
        except VolumeError:  # it has lost its voxels since, or has come under a transform that bends
            return []
        if not sharesPlaces(record, scan):
            return []
        return [
            {
                "identifier": point.identifier,
                "positionRas": tuple(scan.toWorld(point.positionIjk).tolist()),
                "positive": point.positive,
            }
            for point in record.points
        ]

    def startPlacing(self, positive: bool) -> None:
        """From now on every click in a view places a point, until `stopPlacing` or the user ends it.

        Raises:
            SceneError: the scene has no mouse modes.
        """
        self._placeMode.start(positive)
        self._tell(LogicEvent.PLACING)

    def stopPlacing(self) -> None:
        """Ends placing."""
        self._placeMode.stop()
        self._tell(LogicEvent.PLACING)

    @property
    def placing(self) -> bool | None:
        """Whether clicks place positive (True) or negative (False) points; None when they place none."""
        return self._placeMode.active

    # What the user does in the views (`prompts.PromptListener`)

    def onAdded(self, positionWorld: Position, positive: bool) -> int | None:
        """A point was placed with the mouse; one that cannot be is refused, with words."""
        return self._fromView(lambda: self.addPoint(positionWorld, positive))

    def onMoved(self, identifier: int, positionWorld: Position) -> None:
        """A point was dragged; one that left the scan goes back, with words."""
        self._fromView(lambda: self.movePoint(identifier, positionWorld))

    def onRemoved(self, identifier: int) -> None:
        """A point was removed in a view or a list."""
        self._fromView(lambda: self.removePoint(identifier))

    def _fromView(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except MsamError as error:
            self._steps.fail(error)
            self._showPoints()
            return None

    # Within

    def _ready(self, scan: Scan) -> tuple[WorkedSegmentation, str]:
        """The selected segment, ready to be changed: others' edits are noted, and it goes on on this scan."""
        work, segmentId = self._needSegment(None)
        if isLocked(work.node, segmentId):
            raise SceneError(
                _(
                    "The selected segment is marked as completed, so it is not changed. Set its status to In "
                    "progress, or select another segment."
                )
            )
        ensureGeometry(work.node, scan.node)
        self._acceptPreview()
        work.look(segmentId)
        work.settleOn(segmentId, identityOf(scan))
        return work, segmentId

    def _checkReach(self, scan: Scan, place: tuple[float, float, float]) -> None:
        """A lesion beyond the grid of the segmentation would be cut away without a word."""
        work = self._work()
        if work is None:
            return
        ensureGeometry(work.node, scan.node)
        if not isReached(work.node, scan, place):
            raise PromptError(
                _(
                    "The point lies beyond the grid of the segmentation, which belongs to another scan or to a part "
                    "of this one. Make a new segmentation, or give this one the geometry of the scan in Segment Editor."
                )
            )

    def _acceptPreview(self) -> None:
        if self._preview is not None:
            self._preview = None
            self._tell(LogicEvent.PREVIEW)

    def _changePoint(self, identifier: int, change: Callable[[Point], tuple[Point, ...]]) -> None:
        scan = self._scan()
        work, segmentId = self._ready(scan)
        points = work.record(segmentId).points
        if all(point.identifier != identifier for point in points):
            raise PromptError(
                _("The selected segment has no point {number}. It may have been removed already.").format(
                    number=identifier
                )
            )
        changed = [each for point in points for each in (change(point) if point.identifier == identifier else (point,))]
        self._setPoints(work, segmentId, scan, changed)

    def _setPoints(self, work: WorkedSegmentation, segmentId: str, scan: Scan, points: Sequence[Point]) -> None:
        work.keep(segmentId, work.record(segmentId).withPoints(points))
        self._pointsChanged()
        self._steps.want(work, segmentId, scan.node)
        self._tell(LogicEvent.HISTORY)


def _placeIn(scan: Scan, positionRas: Position) -> tuple[float, float, float]:
    """A position in the world in voxels of the scan.

    Raises:
        PromptError: it lies outside.
    """
    if len(positionRas) != 3 or not np.isfinite(positionRas).all():
        raise PromptError(_("A position has three numbers, in mm."))
    i, j, k = (float(value) for value in scan.toIjk(positionRas))
    if not scan.contains((i, j, k)):
        raise PromptError(_("The point lies outside of the scan. Click inside of it."))
    return i, j, k
