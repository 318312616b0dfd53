"""From points that want an answer to a written mask: which steps the engine is asked for, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from msam.errors import Cancelled, MsamError, StateError
from msam.protocol.masks import EMPTY, Mask
from msam.protocol.steps import StepReply
from MSAMSegmentLib.history import StepKind
from MSAMSegmentLib.masking import WriteOptions
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segment_record import SegmentRecord
from MSAMSegmentLib.segments import shareBeyond, toSegmentationGrid, toVolumeGrid
from MSAMSegmentLib.status import LogicEvent, Result, Status
from MSAMSegmentLib.step_run import StepRunner, StepSpec
from MSAMSegmentLib.stepping import (
    Ask,
    Empty,
    NeedsPositive,
    Nothing,
    Plan,
    Restore,
    afterAnswer,
    afterRestore,
    isUnanswered,
    stepFor,
    stillFits,
    visible,
)
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.volume_identity import identityOf, withoutState
from MSAMSegmentLib.voxel_stamp import alike
from MSAMSegmentLib.wants import Run, Want
from MSAMSegmentLib.wording import describeAnswer, describePoints
from MSAMSegmentLib.worked_segmentation import WorkedSegmentation

PLACE_POSITIVE = _("Click on the lesion: a positive point is needed.")


class StepsUnderWay:
    """One step after the other, until no segment wants any.

    What is wanted is remembered by segment, and what to ask for is worked out when its turn comes. So quick clicks
    become one request, and an answer that does not fit the points any more is asked for anew.

    Attributes:
        status: where things stand.
        lastResult: the outcome of the last step; None before the first.
        lastError: what went wrong last, for people; "" when the last step went well.
    """

    def __init__(
        self,
        runner: StepRunner,
        now: Callable[[], float],
        options: Callable[[], WriteOptions],
        tell: Callable[..., None],
        onRefined: Callable[[Want], None],
        onFollowed: Callable[[], None],
    ) -> None:
        """Begins idle.

        Args:
            runner: of the engine.
            now: seconds of a clock.
            options: how masks are written, asked at every write.
            tell: called with the `LogicEvent`s of what has changed.
            onRefined: called after a refinement was written.
            onFollowed: called when points may have changed because somebody else has undone something.
        """
        self.status = Status("")
        self.lastResult: Result | None = None
        self.lastError = ""
        self._runner, self._now, self._options, self._tell = runner, now, options, tell
        self._onRefined, self._onFollowed = onRefined, onFollowed
        self._wants: dict[tuple[WorkedSegmentation, str], Want] = {}
        self._run: Run | None = None

    @property
    def isBusy(self) -> bool:
        """Whether any segment wants something."""
        return bool(self._wants)

    def isWanted(self, want: Want) -> bool:
        """Whether it waits for an answer still."""
        return want in self._wants.values()

    def want(
        self, work: WorkedSegmentation, segmentId: str, volume: slicer.vtkMRMLScalarVolumeNode, iterations: int = 0
    ) -> Want:
        """Wants an answer to the points of a segment, and then so many refinements, in place of earlier ones."""
        self.lastError = ""
        want = self._wants[work, segmentId] = Want(work, segmentId, volume, iterations, iterations)
        run = self._run
        if run is not None and run.want.concerns(work.node, segmentId):
            fits = stillFits(run.ask, work.record(segmentId).points)
            if run.want.volume is not volume or not fits:
                self._abandon()
        self._next()
        return want

    def cancel(self) -> None:
        """Ends everything. Points stay, without an answer."""
        if not self.isBusy:
            return
        self._wants.clear()
        self._abandon()
        self._say(_("Cancelled. The points are kept; the next click or another try sends them again."))

    def forget(self, node: Any, segmentId: str | None = None) -> None:
        """A volume, a segmentation or a segment goes away: what has to do with it ends without a word."""
        gone = [key for key, want in self._wants.items() if want.concerns(node, segmentId)]
        for key in gone:
            del self._wants[key]
        if self._run is not None and self._run.want.concerns(node, segmentId):
            self._abandon()
        if gone:
            self._say("")
            self._next()

    def say(self, words: str) -> None:
        """Shows words while nothing is under way."""
        if not self.isBusy:
            self._say(words)

    def forgetOutcome(self) -> None:
        """Another scene is there: what came of the steps before, and what was said of it, is of no interest in it."""
        self.lastResult, self.lastError = None, ""
        self.say("")

    def fail(self, error: MsamError) -> None:
        """Something went wrong: says so."""
        self.lastError = str(error)
        self._say(str(error))
        self._tell(LogicEvent.ERROR)

    # One step after the other

    def _next(self) -> None:
        while self._run is None and self._wants:
            want = next(iter(self._wants.values()))
            try:
                self._begin(want)
            except MsamError as error:
                self._done(want)
                self.fail(error)

    def _begin(self, want: Want) -> None:
        """Asks the engine; or does what needs no engine, or nothing."""
        work, segmentId = want.work, want.segmentId
        self._look(want)
        scan = Scan.of(want.volume)
        work.settleOn(segmentId, identityOf(scan))
        record = work.record(segmentId)
        plan, isRefinement = self._plan(want, scan, record, False), False
        if isinstance(plan, Nothing) and want.iterations:
            plan, isRefinement = self._plan(want, scan, record, True), True
        match plan:
            case Ask():
                self._ask(Run(want, scan, plan, isRefinement, self._now()))
            case Restore() | Empty():
                mask = plan.base.mask if isinstance(plan, Restore) else EMPTY
                self._write(want, mask, afterRestore(record, record.points), StepKind.POINTS)
                self._tell(LogicEvent.HISTORY)
                self._say("")
            case NeedsPositive():
                self._done(want)
                self._say(PLACE_POSITIVE)
            case Nothing():
                self._done(want)
                self._say("")

    def _plan(self, want: Want, scan: Scan, record: SegmentRecord, refining: bool) -> Plan:
        base = None if record.base is None else toVolumeGrid(record.base.mask, scan, want.work.node)
        spacing = tuple(scan.spacing.tolist())
        return stepFor(record, record.points, base, refining=refining, spacing=spacing)

    def _ask(self, run: Run) -> None:
        self._run = run
        ask = run.ask
        iterations = 1 if run.isRefinement else 0
        self._say(self._title(run))
        self._runner.run(
            run.scan,
            StepSpec(ask.clicks, ask.state, ask.mask, ask.seen, iterations),
            lambda fraction, words: self._progress(run, fraction, words),
            lambda reply: self._answered(run, reply),
            lambda error: self._failed(run, error),
        )

    def _progress(self, run: Run, fraction: float, words: str) -> None:
        if self._run is run:
            self._say(f"{self._title(run)}: {words}", fraction)

    def _answered(self, run: Run, reply: StepReply) -> None:
        if self._run is not run:
            return
        self._run = None
        try:
            self._take(run, reply)
        except MsamError as error:
            self._done(run.want)
            self.fail(error)
        self._next()

    def _take(self, run: Run, reply: StepReply) -> None:
        """Writes an answer, unless something has happened that makes it the answer to another question."""
        want = self._current(run)
        if want is None or self._look(want) or not run.scan.isCurrent:
            return
        record = want.work.record(want.segmentId)
        if not stillFits(run.ask, record.points):
            return
        mask = toSegmentationGrid(reply.mask, run.scan, want.work.node)
        if run.isRefinement:
            last = run.want.lastAnswer
            isSame = alike(want.work.mask(want.segmentId) if last is None else last, mask)
            # Refinements that were still to come have no effect once one of them had none.
            run.want.iterations, run.want.lastAnswer = 0 if isSame else run.want.iterations - 1, mask
            if isSame:
                self._endIfAnswered(want)
                self._say(_("Refining does not make the mask clearly better; it stays as it is."))
                return
        header, said = reply.header, describeAnswer(reply.mask, reply.header.quality)
        after = afterAnswer(record, run.ask, reply.state, header.quality, identityOf(run.scan))
        self._write(want, mask, after, StepKind.REFINEMENT if run.isRefinement else StepKind.POINTS)
        self.lastResult = Result(
            segmentId=want.segmentId,
            quality=header.quality,
            seconds=self._now() - run.startedAt,
            message=said,
            iterations=header.iterations,
            modelName=header.model,
            deviceName=header.device,
            isEmpty=not want.work.mask(want.segmentId).voxels.any(),
        )
        self.lastError = ""
        if run.isRefinement:
            self._onRefined(run.want)
        self._endIfAnswered(want)
        beyond = shareBeyond(reply.mask, run.scan, want.work.node)
        if beyond:
            cut = _("{share:.0%} of it lies beyond the grid of the segmentation and was left out.")
            said += " " + cut.format(share=beyond)
        self._say(said)
        self._tell(LogicEvent.RESULT, LogicEvent.HISTORY)

    def _look(self, want: Want) -> bool:
        """Takes note of what others did to the segment, and tells whether they did anything."""
        isOther = want.work.look(want.segmentId)
        if isOther:
            self._onFollowed()
        return isOther

    def _write(self, want: Want, mask: Mask, record: SegmentRecord, kind: StepKind) -> None:
        answered = visible(want.work.record(want.segmentId).answered)
        words = _("refinement") if kind == StepKind.REFINEMENT else describePoints(answered, visible(record.answered))
        want.work.write(want.segmentId, mask, record, kind, words, self._options(), want.volume)

    def _failed(self, run: Run, error: MsamError) -> None:
        if self._run is not run:
            return
        self._run = None
        want = self._current(run)
        if want is not None and isinstance(error, StateError):
            # The state is another model's, or damaged: what it stood for is in the mask, which does as well.
            work = want.work
            work.keep(want.segmentId, withoutState(work.record(want.segmentId), work.mask(want.segmentId)))
            if run.ask.state:
                self._next()
                return
        if want is not None:
            self._done(want)
        if isinstance(error, Cancelled):
            self._say(str(error))
        elif want is not None:
            self.fail(error)
        self._next()

    def _current(self, run: Run) -> Want | None:
        """What is wanted now for the segment of a run; not always what was wanted when it began."""
        return self._wants.get((run.want.work, run.want.segmentId))

    def _abandon(self) -> None:
        if self._run is not None:
            self._run = None
            self._runner.cancel()

    def _endIfAnswered(self, want: Want) -> None:
        if not want.iterations and not isUnanswered(want.work.record(want.segmentId)):
            self._done(want)

    def _done(self, want: Want) -> None:
        self._wants.pop((want.work, want.segmentId), None)

    # Words

    def _title(self, run: Run) -> str:
        if not run.isRefinement:
            return _("Segmenting")
        wanted = run.want.wanted
        return _("Refining {number} of {count}").format(number=wanted - run.want.iterations + 1, count=wanted)

    def _say(self, words: str, fraction: float | None = None) -> None:
        status = Status(words, fraction, self.isBusy, self.isBusy)
        if status != self.status:
            self.status = status
            self._tell(LogicEvent.STATUS)
