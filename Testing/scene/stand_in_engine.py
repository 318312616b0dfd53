"""`StandInTransport`: a transport with an engine in it, without network, without processes, and without waiting.

    transport = StandInTransport()
    logic = MSAMSegmentLogic(transport)     # or EngineLink(transport), StepRunner(link, transport)
    ...
    transport.runUntil(lambda: not logic.isBusy, 10)

Time is counted, not measured: it stands still but for `pump`, which takes it `TICK` seconds further, and `runUntil`,
which leaps from one thing that is due to the next. Everything happens in the same order each time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from stand_in_drawing import Drawing
from stand_in_service import MODEL, StandInService

from msam import __version__
from msam.protocol import names
from msam.protocol.events import Failed, Progress, Ready, encode_event
from msam.protocol.names import Code
from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.transport import Answer, ProcessCallbacks, Request

TICK = 0.01
PORT = 40000


class Due:
    """Something that will be called, unless it is cancelled before."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Calls it no more."""
        self.callback = None


class StandInProcess:
    """A child process that is none."""

    def __init__(self, transport: StandInTransport, number: int, callbacks: ProcessCallbacks) -> None:
        self.transport = transport
        self.port = PORT + number
        self.callbacks = callbacks
        self.token = ""
        self.alive = True

    def write(self, data: bytes) -> None:
        """Takes the token in the first line."""
        self.token = self.token or data.decode().strip()

    def closeInput(self) -> None:
        """Ends it in good order."""
        self.transport.callLater(0, lambda: self.end(0))

    def kill(self) -> None:
        """Ends it at once."""
        self.transport.callLater(0, lambda: self.end(-9))

    def say(self, line: bytes) -> None:
        """A line of its standard output."""
        if self.alive:
            self.callbacks.onOutput(line.rstrip(b"\n"))

    def end(self, code: int) -> None:
        """It is gone, with all that it worked on and all that it knew."""
        if self.alive:
            self.alive = False
            self.transport.lose()
            self.callbacks.onExit(code)


class StandInTransport:
    """A `Transport` that answers by itself.

    Attributes:
        service: what answers; its attributes say how (`stand_in_service.StandInService`).
        processes: all that were started, the last one last.
        startDelay: pumps until a started engine is ready.
        startFailure: what a started engine says instead of being ready; "" for none.
        noInterpreter: a process cannot be started at all.
        hosts: further engines by their url, with the key each asks for.
        unreachable: by url, why there is no answer from there.
        commands, environments: of all processes that were started.
    """

    def __init__(self, radius_mm: float = 8.0, iterations_until_stable: int = 3, delay: int = 0) -> None:
        self.service = StandInService(lambda pumps, callback: self._after(pumps, callback))
        self.service.drawing = Drawing(radius=radius_mm, stableAfter=iterations_until_stable)
        self.service.delay = delay
        self.processes: list[StandInProcess] = []
        self.startDelay = 0
        self.startFailure = ""
        self.noInterpreter = False
        self.hosts: dict[str, str] = {}
        self.unreachable: dict[str, str] = {}
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self._time = 0.0
        self._number = itertools.count()
        self._queue: list[tuple[float, int, Due]] = []
        self._open: list[Callable[[Answer], None]] = []
        self._crashes = 0
        self._closed = False

    @property
    def requests(self) -> list:
        """The headers (`msam.protocol.steps.StepHeader`) of all steps that were asked for."""
        return self.service.requests

    @property
    def delay(self) -> int:
        """Pumps before a step is answered."""
        return self.service.delay

    @delay.setter
    def delay(self, pumps: int) -> None:
        self.service.delay = pumps

    def failNext(self, code: Code | str) -> None:
        """The next step fails with a code of the protocol, or, with "crash", by the end of the engine's process.

        Called several times, so many steps fail, crashes first.
        """
        if code == "crash":
            self._crashes += 1
        else:
            self.service.failures.append(Code(code))

    def forgetVolumes(self) -> None:
        """The engine has made room for others."""
        self.service.uploads.clear()

    def crash(self) -> None:
        """The engine's process ends now, whatever it is doing."""
        self.processes[-1].end(-9)

    def lose(self) -> None:
        """No request under way is answered any more, and no volume is known."""
        self.service.abandon()
        self.forgetVolumes()
        waiting, self._open = self._open, []
        for answered in waiting:
            answered(Answer(0, failure=Failure.LOST))

    # The transport

    def send(
        self,
        request: Request,
        onAnswer: Callable[[Answer], None],
        onProgress: Callable[[int, int], None] | None = None,
    ) -> Due:
        """Answers a request, from the queue."""
        answered = Due(lambda: None)

        def answer(found: Answer) -> None:
            if answer in self._open:
                self._open.remove(answer)

            def deliver() -> None:
                if answered.callback is not None:
                    answered.cancel()
                    onAnswer(found)

            self.callLater(0, deliver)

        def arrive() -> None:
            if answered.callback is None:
                return
            if onProgress is not None:
                onProgress(len(request.body), len(request.body))
            self._arrive(request, answer)

        self.callLater(0, arrive)
        return answered

    def startProcess(
        self, command: Sequence[str], environment: Mapping[str, str], callbacks: ProcessCallbacks
    ) -> StandInProcess:
        """Pretends to start the engine."""
        self.commands.append(list(command))
        self.environments.append(dict(environment))
        process = StandInProcess(self, len(self.processes), callbacks)
        self.processes.append(process)
        if self.noInterpreter:
            process.alive = False
            self.callLater(0, lambda: callbacks.onNotStarted("there is no such file."))
            return process
        ready = Ready(process.port, self.service.protocol, __version__, MODEL, self.service.sharesMemory)
        self.callLater(0, lambda: process.say(encode_event(Progress(0.5, "Reading the model"))))
        if self.startFailure:
            self._after(self.startDelay, lambda: process.say(encode_event(Failed(self.startFailure))))
            self._after(self.startDelay, lambda: process.end(2))
        else:
            self._after(self.startDelay, lambda: process.say(encode_event(ready)))
        return process

    def callLater(self, seconds: float, callback: Callable[[], None]) -> Due:
        """Puts something into the queue."""
        due = Due(callback)
        if not self._closed:
            heapq.heappush(self._queue, (self._time + seconds, next(self._number), due))
        return due

    def now(self) -> float:
        """Seconds that have been pumped."""
        return self._time

    def pump(self, times: int = 1) -> None:
        """Lets time pass by `times` ticks; all that falls due is called."""
        for _ in range(times):
            self._advance(self._time + TICK)

    def runUntil(self, isDone: Callable[[], bool], seconds: float) -> bool:
        """Pumps until something is done, or nothing is left to happen in time."""
        end = self._time + seconds
        while not isDone():
            while self._queue and self._queue[0][2].callback is None:
                heapq.heappop(self._queue)
            if not self._queue or self._queue[0][0] > end:
                self._time = end
                return False
            self._advance(self._queue[0][0], isDone)
        return True

    def close(self) -> None:
        """Nothing happens any more."""
        for process in self.processes:
            process.alive = False
        self._open.clear()
        self._queue.clear()
        self._closed = True

    def _after(self, pumps: int, callback: Callable[[], None]) -> None:
        self.callLater(pumps * TICK, callback)

    def _advance(self, to: float, isDone: Callable[[], bool] = lambda: False) -> None:
        while self._queue and self._queue[0][0] <= to + TICK / 1000 and not isDone():
            at, _, due = heapq.heappop(self._queue)
            self._time = max(self._time, at)
            if due.callback is not None:
                callback, due.callback = due.callback, None
                callback()
        self._time = max(self._time, to)

    def _arrive(self, request: Request, answer: Callable[[Answer], None]) -> None:
        url = urlsplit(request.url)
        base = f"{url.scheme}://{url.netloc}"
        process = next((each for each in self.processes if each.alive and url.port == each.port), None)
        if base in self.hosts:
            self.service.token = self.hosts[base]
        elif process is not None:
            self.service.token = process.token
        else:
            answer(Answer(0, failure=self.unreachable.get(base, Failure.NOTHING_LISTENS)))
            return
        if process is not None and self._crashes and url.path == names.SEGMENT:
            self._crashes -= 1
            self._open.append(answer)
            process.end(-9)
            return
        self._open.append(answer)

        def reply(status: int, body: bytes) -> None:
            answer(Answer(status, body))

        self.service.answer(request.method, url.path, dict(request.headers), request.body, reply)
