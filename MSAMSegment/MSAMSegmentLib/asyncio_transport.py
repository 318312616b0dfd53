"""`AsyncioTransport`: the way to the world outside for plain Python, on asyncio and httpx. No threads of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from MSAMSegmentLib.asyncio_exchange import Clients
from MSAMSegmentLib.asyncio_process import AsyncioProcess
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Answer, Cancellable, ProcessCallbacks, Request

LOOK_SECONDS = 0.005
# For processes that were killed to be gone, and connections to be closed.
CLOSING_SECONDS = 5.0


class _Task:
    """A coroutine under way, of whose outcome somebody is told unless it is cancelled."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], onDone: Callable[[Any], None]
    ) -> None:
        self._onDone: Callable[[Any], None] | None = onDone
        self.task = loop.create_task(work)
        self.task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Gives it up."""
        self._onDone = None
        self.task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        # An error of the coroutine is a defect; asyncio's own handler of exceptions shows it.
        if self._onDone is not None and not task.cancelled():
            self._onDone(task.result())


class AsyncioTransport:
    """A `transport.Transport` on asyncio.

    Without a loop it has one of its own, which stands still but for `runUntil`: callbacks come then. With a loop that
    runs anyway (a web server's), callbacks come from that.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Takes a loop, which must be running when something is asked for; None for one of its own."""
        self._isOwn = loop is None
        self._loop = asyncio.new_event_loop() if loop is None else loop
        self._clients = Clients()
        self._tasks: set[_Task] = set()
        self._processes: list[AsyncioProcess] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._closing: asyncio.Task[None] | None = None

    def send(
        self,
        request: Request,
        onAnswer: Callable[[Answer], None],
        onProgress: Callable[[int, int], None] | None = None,
    ) -> Cancellable:
        """See `transport.Transport.send`."""
        return self._do(self._clients.exchange(request, onProgress), onAnswer)

    def startProcess(
        self, command: Sequence[str], environment: Mapping[str, str], callbacks: ProcessCallbacks
    ) -> AsyncioProcess:
        """See `transport.Transport.startProcess`."""
        process = AsyncioProcess(command, environment, callbacks)
        self._processes = [each for each in self._processes if not each.hasEnded]
        self._processes.append(process)
        self._do(process.live(), lambda tell: tell())
        return process

    def callLater(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """See `transport.Transport.callLater`."""

        def ring() -> None:
            self._timers.discard(timer)
            callback()

        self._timers = {each for each in self._timers if not each.cancelled()}
        timer = self._loop.call_later(seconds, ring)
        self._timers.add(timer)
        return timer

    def now(self) -> float:
        """See `transport.Transport.now`."""
        return time.monotonic()

    def runUntil(self, isDone: Callable[[], bool], seconds: float) -> bool:
        """See `transport.Transport.runUntil`.

        Raises:
            SceneError: the loop belongs to somebody else, who keeps it running.
        """
        if not self._isOwn or self._loop.is_running():
            raise SceneError(_("Nothing can wait here: the event loop is already running. Use callbacks instead."))
        return self._loop.run_until_complete(self._until(isDone, seconds))

    def close(self) -> None:
        """See `transport.Transport.close`."""
        if self._loop.is_closed():
            return
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for process in self._processes:
            process.silence()
            process.kill()
        tasks, self._tasks = self._tasks, set()
        lives = {process.life for process in self._processes}
        for task in tasks:
            if task.task not in lives:
                task.cancel()
        ending = self._end([task.task for task in tasks])
        if not self._isOwn:
            self._closing = self._loop.create_task(ending)
            return
        self._loop.run_until_complete(ending)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def waitUntilClosed(self) -> None:
        """After `close`, waits until the processes are gone and the connections closed: for loops that end then."""
        if self._closing is not None:
            await self._closing

    def _do(self, work: Coroutine[Any, Any, Any], onDone: Callable[[Any], None]) -> _Task:
        task = _Task(self._loop, work, onDone)
        self._tasks.add(task)
        task.task.add_done_callback(lambda ended: self._tasks.discard(task))
        return task

    async def _until(self, isDone: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not isDone():
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> None:
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
        await self._clients.close()
