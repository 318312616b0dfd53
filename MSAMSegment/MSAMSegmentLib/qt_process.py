"""A child process on Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import qt

from MSAMSegmentLib.lines import Lines
from MSAMSegmentLib.transport import Cancellable, ProcessCallbacks

# For a process that was killed to be gone.
ENDING_MILLISECONDS = 2000

CallLater = Callable[[float, Callable[[], None]], Cancellable]


class QtProcess:
    """A process from its start to its end."""

    def __init__(
        self, parent: Any, callbacks: ProcessCallbacks, callLater: CallLater, onEnd: Callable[[QtProcess], None]
    ) -> None:
        """Prepares; `start` starts it.

        Args:
            parent: the object of Qt that it belongs to.
            callbacks: who is told what.
            callLater: of the transport.
            onEnd: called when it need not be kept any more.
        """
        self._callbacks: ProcessCallbacks | None = callbacks
        self._callLater = callLater
        self._onEnd = onEnd
        self._output, self._complaints = Lines(), Lines()
        self._process = qt.QProcess(parent)
        self._process.connect("readyReadStandardOutput()", self._read)
        self._process.connect("readyReadStandardError()", self._readComplaints)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._failed)
        self._program = ""

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts it with exactly this environment."""
        variables = qt.QProcessEnvironment()
        for name, value in environment.items():
            variables.insert(name, value)
        self._process.setProcessEnvironment(variables)
        self._program = command[0]
        self._process.start(self._program, list(command[1:]))

    def write(self, data: bytes) -> None:
        """See `transport.ChildProcess.write`."""
        if self._callbacks is not None:
            self._process.write(qt.QByteArray(data))

    def closeInput(self) -> None:
        """See `transport.ChildProcess.closeInput`."""
        if self._callbacks is not None:
            self._process.closeWriteChannel()

    def kill(self) -> None:
        """See `transport.ChildProcess.kill`."""
        if self._callbacks is not None:
            self._process.kill()

    def end(self) -> None:
        """Ends it and waits until it is gone. Nobody is told."""
        if self._callbacks is not None:
            self._callbacks = None
            self._process.kill()
            self._process.waitForFinished(ENDING_MILLISECONDS)
            self._letGo()

    def _read(self) -> None:
        self._tell(self._output.feed(bytes(self._process.readAllStandardOutput().data())), "onOutput")

    def _readComplaints(self) -> None:
        self._tell(self._complaints.feed(bytes(self._process.readAllStandardError().data())), "onComplaint")

    def _tell(self, lines: list[bytes], callback: str) -> None:
        for line in lines:
            if self._callbacks is not None:
                getattr(self._callbacks, callback)(line)

    def _finished(self, code: int, status: int) -> None:
        if self._callbacks is None:
            return
        self._read()
        self._readComplaints()
        self._tell(self._output.end(), "onOutput")
        self._tell(self._complaints.end(), "onComplaint")
        callbacks, self._callbacks = self._callbacks, None
        if callbacks is None:
            return
        self._letGo()
        crashed = int(status) == int(qt.QProcess.CrashExit)
        callbacks.onExit(-max(1, abs(int(code))) if crashed else int(code))

    def _failed(self, error: int) -> None:
        if int(error) != int(qt.QProcess.FailedToStart) or self._callbacks is None:
            return
        callbacks, self._callbacks = self._callbacks, None
        reason = f"{self._program}: {self._process.errorString()}."
        # Qt may find out before `start` has come back.
        self._callLater(0, lambda: callbacks.onNotStarted(reason))
        self._letGo()

    def _letGo(self) -> None:
        self._process.deleteLater()
        self._onEnd(self)
