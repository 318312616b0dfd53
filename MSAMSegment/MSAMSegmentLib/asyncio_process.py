"""A child process on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from MSAMSegmentLib.lines import Lines
from MSAMSegmentLib.transport import ProcessCallbacks

PIECE = 1 << 16


class AsyncioProcess:
    """A process from its start to its end. What is written before it runs is kept until it does.

    Attributes:
        life: the task of `live`; None before it began.
        hasEnded: nothing more will be told of it.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], callbacks: ProcessCallbacks) -> None:
        """Prepares; `live` starts it."""
        self.life: asyncio.Task[Any] | None = None
        self.hasEnded = False
        self._command = list(command)
        self._environment = dict(environment)
        self._callbacks: ProcessCallbacks | None = callbacks
        self._process: asyncio.subprocess.Process | None = None
        self._unwritten = b""
        self._closed = self._killed = False

    def write(self, data: bytes) -> None:
        """See `transport.ChildProcess.write`."""
        self._unwritten += data
        self._pass_on()

    def closeInput(self) -> None:
        """See `transport.ChildProcess.closeInput`."""
        self._closed = True
        self._pass_on()

    def kill(self) -> None:
        """See `transport.ChildProcess.kill`."""
        self._killed = True
        self._pass_on()

    def silence(self) -> None:
        """Nobody is told of anything any more."""
        self._callbacks = None

    async def live(self) -> Callable[[], None]:
        """Runs the process, from its start to its end.

        Returns:
            What tells of the end.
        """
        self.life = asyncio.current_task()
        try:
            self._process = await self._spawn()
        except OSError as error:
            reason = f"{self._command[0]}: {error.strerror or error}."
            self.hasEnded = True
            return lambda: self._callbacks.onNotStarted(reason) if self._callbacks is not None else None
        self._pass_on()
        process = self._process
        assert process.stdout is not None
        assert process.stderr is not None
        await asyncio.gather(self._listen(process.stdout, "onOutput"), self._listen(process.stderr, "onComplaint"))
        code = await process.wait()
        self.hasEnded = True
        return lambda: self._callbacks.onExit(code) if self._callbacks is not None else None

    async def _spawn(self) -> asyncio.subprocess.Process:
        spawning = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        )
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # Cancelled once, it kills the child and then waits for the end of pipes that nobody has connected, for
            # ever on Python 3.11; cancelled again, it gives that up.
            while not spawning.done():
                spawning.cancel()
                await asyncio.sleep(0)
            if not spawning.cancelled() and spawning.exception() is None:
                spawning.result().kill()
            raise

    def _pass_on(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        # A process that is going away is heard of by its end.
        with contextlib.suppress(OSError):
            if self._unwritten:
                process.stdin.write(self._unwritten)
                self._unwritten = b""
            if self._closed:
                process.stdin.close()
            if self._killed:
                process.kill()

    async def _listen(self, stream: asyncio.StreamReader, callback: str) -> None:
        lines = Lines()
        while piece := await stream.read(PIECE):
            self._tell(lines.feed(piece), callback)
        self._tell(lines.end(), callback)

    def _tell(self, lines: list[bytes], callback: str) -> None:
        for line in lines:
            if self._callbacks is not None:
                getattr(self._callbacks, callback)(line)
