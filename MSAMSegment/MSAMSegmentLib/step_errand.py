"""One step on its way: until its reply is here, or there is no hope of one.

the engine is ready -> the scan's identity is known -> the step is asked for -> reply
                           ^                                |   |   |
                           |        uploaded <- scan unknown    |   |
                           |                      a moment <- busy  |
                           +------ ready again <- connection lost --+
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol import masks, names, steps
from msam.protocol.masks import Mask
from msam.protocol.messages import RunStatus
from msam.protocol.names import Code, path
from msam.protocol.problems import ServiceError
from msam.protocol.steps import ClickRecord, MaskRecord, StepHeader, StepReply, StepRequest
from MSAMSegmentLib.engine_exchange import errorIn, read, requestTo
from MSAMSegmentLib.engine_link import EngineLink
from MSAMSegmentLib.errand import Errand
from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.known_volume import Identities, Known
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Answer, Transport
from MSAMSegmentLib.volume_upload import VolumeUpload

if TYPE_CHECKING:
    from MSAMSegmentLib.scans import Scan

# A step may wait for a device, load its model, and look at a large object on a processor.
STEP_SECONDS = 600.0
POLL_SECONDS = 0.2
# An engine that does not even say how far it is, so many times one after the other, hangs.
LOOK_SECONDS = 10.0
MOST_BLIND_LOOKS = 3
# A moment in which the end of a process is heard of after the connection to it broke.
HEARING_SECONDS = 0.3
MOST_LOSSES = 4
MOST_UPLOADS = 4
MOST_BUSY = 10
LONGEST_PAUSE = 4.0
FIRST_PAUSE = 0.25
# The share of the progress that an upload has, where there is one.
UPLOADING = 0.4


@dataclass(frozen=True)
class StepSpec:
    """What is asked for.

    Attributes:
        clicks: all of them in the order of their placement, in voxels (i, j, k) of the scan.
        state: of the step before, as it came; b"" to start anew.
        mask: to go on from, on the scan's grid; None for none.
        seen: how many of the clicks, from the first on, the mask takes into account already.
        iterations: times the mask is fed back without a new click, after the clicks that are new.
        model: None for the engine's own.
    """

    clicks: tuple[ClickRecord, ...]
    state: bytes = b""
    mask: Mask | None = None
    seen: int = 0
    iterations: int = 0
    model: str | None = None


@dataclass(frozen=True)
class StepCallbacks:
    """Who is told what of a step. One of `onDone` and `onError` is called, once; neither after a cancel."""

    onProgress: Callable[[float, str], None]
    onDone: Callable[[StepReply], None]
    onError: Callable[[MsamError], None]


class StepErrand(Errand):
    """See above."""

    def __init__(
        self,
        link: EngineLink,
        transport: Transport,
        identities: Identities,
        scan: Scan,
        spec: StepSpec,
        callbacks: StepCallbacks,
    ) -> None:
        """Begins."""
        super().__init__()
        self._link = link
        self._transport = transport
        self._identities = identities
        self._scan: Scan | None = scan
        self._spec = spec
        self._callbacks = callbacks
        self._known: Known | None = None
        self._endpoint: Endpoint | None = None
        self._run = ""
        self._begin = 0.0
        self._blind = self._busy = self._uploads = self._losses = self._lossesHere = 0
        self._await()

    def cancel(self) -> None:
        """Gives it up; an engine that works on it is told."""
        if self._run and self._endpoint is not None:
            request = requestTo(self._endpoint, "DELETE", path(names.RUN, run=self._run), seconds=LOOK_SECONDS)
            self._transport.send(request, lambda answer: None)
        self._end()

    def _end(self) -> None:
        super().cancel()
        self._run = ""
        # The voxels are let go of with the step.
        self._scan = self._known = None

    def _finish(self, tell: Callable[[], None]) -> None:
        self._end()
        tell()

    def _fail(self, error: MsamError) -> None:
        self._finish(lambda: self._callbacks.onError(error))

    # The engine

    def _await(self) -> None:
        self._run = ""
        self.hold(self._link.whenReady(self._ready, self._fail))
        self.hold(self._transport.callLater(0, self._tellOfStart), "looking")

    def _tellOfStart(self) -> None:
        if self._link.state == "starting":
            self._callbacks.onProgress(0.0, self._link.words)
        self.hold(self._transport.callLater(POLL_SECONDS, self._tellOfStart), "looking")

    def _ready(self, endpoint: Endpoint) -> None:
        self.release("looking")
        if endpoint is not self._endpoint:
            self._lossesHere = 0
        self._endpoint = endpoint
        if self._known is not None:
            self._ask()
            return
        assert self._scan is not None
        self.hold(self._identities.find(self._transport, self._scan, self._identified, self._fail, self._tellOfReading))

    def _tellOfReading(self, fraction: float) -> None:
        self._callbacks.onProgress(0.0, _("Reading through the scan ({fraction:.0%})").format(fraction=fraction))

    def _identified(self, known: Known) -> None:
        self._known = known
        self._ask()

    # The step

    def _ask(self) -> None:
        assert self._known is not None
        assert self._endpoint is not None
        spec, self._run, self._blind = self._spec, uuid.uuid4().hex, 0
        header = StepHeader(
            volume=self._known.identity,
            run=self._run,
            clicks=spec.clicks,
            iterations=spec.iterations,
            model=spec.model,
            mask=None if spec.mask is None else MaskRecord(spec.mask.box, spec.seen),
        )
        packed = b"" if spec.mask is None else masks.pack(spec.mask)
        message = steps.encode_request(StepRequest(header, spec.state, packed))
        request = requestTo(self._endpoint, "POST", names.SEGMENT, message, seconds=STEP_SECONDS)
        self.hold(self._transport.send(request, self._answered))
        self.hold(self._transport.callLater(POLL_SECONDS, self._look), "looking")

    def _look(self) -> None:
        assert self._endpoint is not None
        request = requestTo(self._endpoint, "GET", path(names.RUN, run=self._run), seconds=LOOK_SECONDS)
        self.hold(self._transport.send(request, self._looked), "looking")

    def _looked(self, answer: Answer) -> None:
        assert self._endpoint is not None
        self._blind = 0 if answer.status else self._blind + 1
        if self._blind >= MOST_BLIND_LOOKS:
            self.release()
            self._lost(answer)
            return
        # It may not have begun, or have ended just now; the answer to the step itself will tell.
        if answer.status == 200:
            status = read(RunStatus, answer, self._endpoint)
            words = status.words
            if status.ahead:
                words = _("{words} ({count} before it)").format(words=words, count=status.ahead)
            self._callbacks.onProgress(self._begin + (1 - self._begin) * status.fraction, words)
        self.hold(self._transport.callLater(POLL_SECONDS, self._look), "looking")

    def _answered(self, answer: Answer) -> None:
        self.release("looking")
        assert self._endpoint is not None
        assert self._known is not None
        self._run = ""
        error = errorIn(answer, self._endpoint)
        if error is None:
            try:
                reply = steps.decode_reply(answer.body, self._known.shapeIjk)
            except MsamError as damaged:
                self._fail(damaged)
                return
            self._finish(lambda: self._callbacks.onDone(reply))
        elif isinstance(error, ServiceError) and error.code == Code.VOLUME_UNKNOWN:
            self._upload(error)
        elif answer.failure == Failure.TOO_SLOW:
            self._fail(error)
        else:
            self._stumbled(error, answer)

    def _upload(self, error: MsamError) -> None:
        self._uploads += 1
        if self._uploads > MOST_UPLOADS:
            self._fail(
                ServiceError(_("The engine forgets the scan again and again; its memory may be too small for it."))
            )
            return
        assert self._endpoint is not None
        assert self._known is not None
        self.hold(
            VolumeUpload(
                self._transport, self._endpoint, self._known, self._tellOfUpload, self._uploaded, self._stumbled
            )
        )

    def _tellOfUpload(self, fraction: float, words: str) -> None:
        self._callbacks.onProgress(UPLOADING * fraction, words)

    def _uploaded(self) -> None:
        self._begin = UPLOADING
        self._ask()

    # What goes wrong

    def _stumbled(self, error: MsamError, answer: Answer) -> None:
        code = error.code if isinstance(error, ServiceError) else None
        if not answer.status:
            self._lost(answer)
        elif code is not None and code.worth_a_retry and self._busy < MOST_BUSY:
            self._busy += 1
            self._callbacks.onProgress(self._begin, _("The engine is busy; trying again"))
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._busy - 1))
            self.hold(self._transport.callLater(pause, self._await))
        else:
            self._fail(error)

    def _lost(self, answer: Answer) -> None:
        """The engine is gone, or the way to it: all is asked again of the one that takes its place."""
        self.release("looking")
        assert self._endpoint is not None
        self._run = ""
        self._losses += 1
        self._lossesHere += 1
        error = errorIn(answer, self._endpoint)
        if error is not None and self._losses >= MOST_LOSSES:
            self._link.report(error)
            self._fail(error if self._link.isRemote else ServiceError(_ENDS_AGAIN))
            return
        self._callbacks.onProgress(0.0, _("The connection to the engine broke; trying again"))
        pause = FIRST_PAUSE * 2**self._losses if self._link.isRemote else HEARING_SECONDS
        self.hold(self._transport.callLater(pause, self._again))

    def _again(self) -> None:
        if self._link.state == "stopped":
            self._fail(ServiceError(_("The engine was stopped before it had answered.")))
            return
        if self._lossesHere > 1 and not self._link.isRemote and self._link.endpoint is self._endpoint:
            # It runs, as far as anybody knows, and yet does not answer.
            self._link.restart()
        self._await()


_ENDS_AGAIN = _(
    "The engine ended again and again while it worked on this. Its log tells more; too little free memory is the most "
    "likely reason."
)
