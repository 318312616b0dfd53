"""The part of the logic that is about steps: refining, undoing, cancelling and waiting."""

from __future__ import annotations

from msam.errors import PromptError, VolumeError
from msam.protocol.names import MOST_ITERATIONS
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.logic_points import PointCalls
from MSAMSegmentLib.preview import Preview
from MSAMSegmentLib.status import LogicEvent, Result, Status
from MSAMSegmentLib.stepping import visible, withoutUnanswered
from MSAMSegmentLib.steps_under_way import PLACE_POSITIVE
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.wording import describePoints

NOTHING_TO_REFINE = _("There is nothing to refine yet.") + " " + PLACE_POSITIVE


class StepCalls(PointCalls):
    """Goes further with the mask of the selected segment, and back."""

    def refine(self, iterations: int = 1, preview: bool = False) -> None:
        """Lets the engine look at its own mask again, so many times; each time is one step that can be undone.

        It ends early when the mask would not be clearly better.

        Args:
            iterations: at least 1.
            preview: the refinement waits for `acceptRefinement` or `rejectRefinement`; any other action accepts it.

        Raises:
            PromptError: there is nothing to refine, or the number is none.
            VolumeError: there is no scan, or it cannot be segmented.
            SceneError: the segment cannot be written.
        """
        if not 1 <= iterations <= MOST_ITERATIONS:
            raise PromptError(
                _("A refinement has 1 to {most} iterations; {count} were asked for.").format(
                    most=MOST_ITERATIONS, count=iterations
                )
            )
        scan = self._scan()
        if not self.selectedSegment:
            raise PromptError(NOTHING_TO_REFINE)
        work, segmentId = self._ready(scan)
        isPositive = any(point.positive for point in work.record(segmentId).points)
        if not isPositive and not work.mask(segmentId).voxels.any():
            raise PromptError(NOTHING_TO_REFINE)
        want = self._steps.want(work, segmentId, scan.node, iterations)
        if preview:
            self._preview = Preview(want)
            self._tell(LogicEvent.PREVIEW)

    def acceptRefinement(self) -> None:
        """Keeps the refinement that waits; what of it is still under way ends."""
        if self._preview is not None:
            want = self._preview.want
            if self._steps.isWanted(want):
                self._steps.forget(want.work.node, want.segmentId)
            self._acceptPreview()

    def rejectRefinement(self) -> None:
        """Takes back the refinement that waits, and ends what of it is still under way.

        Raises:
            SceneError: the segment cannot be written.
        """
        preview = self._preview
        if preview is None:
            return
        if self._steps.isWanted(preview.want):
            self._steps.forget(preview.want.work.node, preview.want.segmentId)
        self._acceptPreview()
        preview.reject()
        self._steps.say(_("The refinement was rejected."))
        self._pointsChanged()

    @property
    def isPreviewing(self) -> bool:
        """Whether a refinement waits to be accepted or rejected, or is on its way to that."""
        return self._preview is not None and (self._preview.steps > 0 or self._steps.isWanted(self._preview.want))

    def undo(self) -> None:
        """Takes back the last step of the segmentation: points that have no answer yet first, then whole steps.

        Raises:
            SceneError: there is nothing to undo, or the segment cannot be written.
        """
        work = self._needWork()
        self._acceptPreview()
        waiting = work.unanswered()
        if waiting:
            # The points of other segments wait for their answers still.
            segmentId = self.selectedSegment if self.selectedSegment in waiting else waiting[-1]
            self._steps.forget(work.node, segmentId)
            work.keep(segmentId, withoutUnanswered(work.record(segmentId)))
        else:
            self._steps.forget(work.node)
            if self.selectedSegment:
                self._look(work, self.selectedSegment)
            work.undo()
        self._steps.say("")
        self._pointsChanged()

    def redo(self) -> None:
        """Makes the step that was undone last again.

        Raises:
            SceneError: there is nothing to redo, or the segment cannot be written.
        """
        work = self._needWork()
        if work.unanswered():
            raise SceneError(_("There is nothing to redo after a new point. Undo the point first."))
        self._acceptPreview()
        self._steps.forget(work.node)
        if self.selectedSegment:
            self._look(work, self.selectedSegment)
        work.redo()
        self._steps.say("")
        self._pointsChanged()

    @property
    def canUndo(self) -> bool:
        """Whether `undo` has something to take back."""
        work = self._work()
        return work is not None and (work.history.canUndo or bool(work.unanswered()))

    @property
    def canRedo(self) -> bool:
        """Whether `redo` has something to make again."""
        work = self._work()
        return work is not None and work.history.canRedo and not work.unanswered()

    @property
    def undoDescription(self) -> str:
        """What `undo` would take back, such as "positive point"; "" for nothing."""
        work = self._work()
        if work is None:
            return ""
        for segmentId in work.unanswered():
            record = work.record(segmentId)
            return describePoints(visible(record.answered), record.points)
        return work.history.undoDescription

    @property
    def redoDescription(self) -> str:
        """What `redo` would make again; "" for nothing."""
        work = self._work()
        return work.history.redoDescription if work is not None and self.canRedo else ""

    def cancel(self) -> None:
        """Ends all that is under way. Points without an answer stay, and wait for `retry` or another point."""
        self._steps.cancel()

    def retry(self) -> None:
        """Asks again for all segments of the segmentation whose points have no answer.

        Raises:
            VolumeError: there is no scan, or it cannot be segmented.
        """
        work, volume = self._needWork(), self._scan().node
        for segmentId in work.unanswered():
            self._steps.want(work, segmentId, volume)

    @property
    def isBusy(self) -> bool:
        """Whether anything is under way."""
        return self._steps.isBusy

    def waitUntilIdle(self, timeoutSec: float = 60) -> bool:
        """Waits until nothing is under way, keeping the application alive; tells whether that came in time."""
        return self._transport.runUntil(lambda: not self.isBusy, timeoutSec)

    @property
    def status(self) -> Status:
        """Where things stand, and what to do next."""
        status = self._steps.status
        if status.words or status.isBusy:
            return status
        if self.inputVolume is None:
            return Status(_("Choose a scan."))
        try:
            self._scan()
        except VolumeError as error:  # it was fit to be chosen, and is no more
            return Status(str(error))
        return Status(_("Click on the lesion.") if not self.points() else _("Ready."))

    @property
    def lastResult(self) -> Result | None:
        """The outcome of the last step; None before the first."""
        return self._steps.lastResult

    def expectedOverlap(self, segmentId: str | None = None) -> float | None:
        """How far the mask of a segment, of the selected one for None, is expected to overlap the truth, 0 to 1.

        That is of the mask as it is now, after undo and redo too; None where the engine has not made it, as it is empty
        or was changed by hand.
        """
        work = self._work()
        segmentId = self.selectedSegment if segmentId is None else segmentId
        if work is None or not segmentId or not work.hasSegment(segmentId):
            return None
        return work.record(segmentId).quality

    @property
    def lastError(self) -> str:
        """What went wrong, for people; "" once a step was asked for again."""
        return self._steps.lastError
