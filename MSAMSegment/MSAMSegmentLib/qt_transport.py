"""`QtTransport`: the way to the world outside within 3D Slicer, on Qt's own network, process and timer classes.

Everything comes back from the application's event loop. Whatever is under way is kept referenced until it has ended:
Python would otherwise take it away from under Qt. What Qt makes belongs to a parent and is deleted by `deleteLater`,
never from within one of its own signals. No other file of the library imports Qt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import qt
import slicer

from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.lines import Lines
from MSAMSegmentLib.transport import Answer, Cancellable, ProcessCallbacks, Request

LOOK_SECONDS = 0.005
# For a process that was killed to be gone.
ENDING_MILLISECONDS = 2000
# Qt's numbers of what goes wrong below HTTP; from 100 on it is the proxy, from 200 on what HTTP itself says.
FAILURES = {
    1: Failure.NOTHING_LISTENS,
    2: Failure.LOST,
    3: Failure.NO_SUCH_ADDRESS,
    4: Failure.TOO_SLOW,
    6: Failure.NO_ENCRYPTION,
    7: Failure.UNREACHABLE,
    8: Failure.UNREACHABLE,
}
OF_HTTP = 200
SENDING = {"POST": "post", "PUT": "put"}
ASKING = {"GET": "get", "DELETE": "deleteResource"}

CallLater = Callable[[float, Callable[[], None]], Cancellable]


class QtTransport:
    """A `transport.Transport` on Qt."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._manager = qt.QNetworkAccessManager()
        # Apart by what is trusted: a manager goes on using a connection that it trusted once.
        self._trusting: dict[str, Any] = {}
        self._exchanges: set[_Exchange] = set()
        self._processes: set[_Process] = set()
        self._timers: set[_Timer] = set()

    def send(
        self,
        request: Request,
        onAnswer: Callable[[Answer], None],
        onProgress: Callable[[int, int], None] | None = None,
    ) -> Cancellable:
        """See `transport.Transport.send`."""
        manager = self._manager
        if request.certificates is not None:
            manager = self._trusting.setdefault(request.certificates, qt.QNetworkAccessManager())
        exchange = _Exchange(manager, request, onAnswer, onProgress, self.callLater, self._exchanges.discard)
        self._exchanges.add(exchange)
        exchange.begin()
        return exchange

    def startProcess(
        self, command: Sequence[str], environment: Mapping[str, str], callbacks: ProcessCallbacks
    ) -> _Process:
        """See `transport.Transport.startProcess`."""
        process = _Process(self._manager, callbacks, self.callLater, self._processes.discard)
        self._processes.add(process)
        process.start(command, environment)
        return process

    def callLater(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """See `transport.Transport.callLater`."""
        timer = _Timer(self._manager, seconds, callback, self._timers.discard)
        self._timers.add(timer)
        return timer

    def now(self) -> float:
        """See `transport.Transport.now`."""
        return time.monotonic()

    def runUntil(self, isDone: Callable[[], bool], seconds: float) -> bool:
        """See `transport.Transport.runUntil`. For scripts that were asked to wait; never from within a callback."""
        end = time.monotonic() + seconds
        while not isDone():
            if time.monotonic() >= end:
                return False
            slicer.app.processEvents()
            time.sleep(LOOK_SECONDS)
        return True

    def close(self) -> None:
        """See `transport.Transport.close`."""
        for exchange in tuple(self._exchanges):
            exchange.cancel()
        for timer in tuple(self._timers):
            timer.cancel()
        for process in tuple(self._processes):
            process.end()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        manager: Any,
        request: Request,
        onAnswer: Callable[[Answer], None],
        onProgress: Callable[[int, int], None] | None,
        callLater: CallLater,
        onEnd: Callable[[_Exchange], None],
    ) -> None:
        """Prepares; `begin` sends.

        Args:
            manager: Qt's QNetworkAccessManager.
            request: what to send.
            onAnswer: called once, unless it is cancelled.
            onProgress: called with the bytes sent and the bytes to send; None for nobody.
            callLater: of the transport.
            onEnd: called when it need not be kept any more.
        """
        self._manager = manager
        self._request = request
        self._onAnswer: Callable[[Answer], None] | None = onAnswer
        self._onProgress = onProgress
        self._callLater = callLater
        self._onEnd = onEnd
        self._reply: Any = None
        self._alarm: Cancellable | None = None
        self._failure: Failure | None = None
        self._aborted = False

    def begin(self) -> None:
        """Sends the request."""
        outgoing = qt.QNetworkRequest(qt.QUrl(self._request.url))
        # The key is for the engine alone, not for where something in between might lead to.
        outgoing.setAttribute(qt.QNetworkRequest.RedirectPolicyAttribute, int(qt.QNetworkRequest.ManualRedirectPolicy))
        for name, value in self._request.headers.items():
            outgoing.setRawHeader(qt.QByteArray(name.encode()), qt.QByteArray(value.encode()))
        if self._request.certificates is not None and not _trust(outgoing, self._request.certificates):
            self._failure = Failure.NO_CERTIFICATES
            self._alarm = self._callLater(0, self._finished)
            return
        method = self._request.method
        if method in SENDING:
            self._reply = getattr(self._manager, SENDING[method])(outgoing, qt.QByteArray(self._request.body))
        else:
            self._reply = getattr(self._manager, ASKING[method])(outgoing)
        if self._onProgress is not None:
            self._reply.connect("uploadProgress(qint64,qint64)", self._progressed)
        if self._request.url.startswith("https:"):
            self._reply.connect("sslErrors(QList<QSslError>)", self._distrusted)
        self._reply.connect("finished()", self._finished)
        self._alarm = self._callLater(self._request.seconds, self._tooSlow)

    def cancel(self) -> None:
        """Gives it up. Does nothing once it has ended."""
        if self._onAnswer is not None:
            self._onAnswer = None
            self._abort()

    def _abort(self) -> None:
        """Ends the reply, which Qt allows once; it calls `_finished` from within."""
        if self._reply is None:
            self._finished()
        elif not self._aborted:
            self._aborted = True
            self._reply.abort()

    def _tooSlow(self) -> None:
        self._failure = Failure.TOO_SLOW
        self._abort()

    def _distrusted(self) -> None:
        self._failure = Failure.NOT_TRUSTED

    def _progressed(self, sent: int, total: int) -> None:
        # Qt says so once more, with zeros, when the answer begins.
        if total > 0 and self._onAnswer is not None and self._onProgress is not None:
            self._onProgress(sent, total)

    def _finished(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        onAnswer, self._onAnswer = self._onAnswer, None
        found = self._found()
        if self._reply is not None:
            self._reply.deleteLater()
            self._reply = None
        self._onEnd(self)
        if onAnswer is not None:
            onAnswer(found)

    def _found(self) -> Answer:
        if self._failure is not None:
            return Answer(0, failure=self._failure)
        error = int(self._reply.error())
        status = self._reply.attribute(qt.QNetworkRequest.HttpStatusCodeAttribute)
        if status is None or 0 < error < OF_HTTP:
            return Answer(0, failure=FAILURES.get(error, Failure.LOST))
        return Answer(int(status), bytes(self._reply.readAll().data()))


class _Process:
    """A process from its start to its end."""

    def __init__(
        self, parent: Any, callbacks: ProcessCallbacks, callLater: CallLater, onEnd: Callable[[_Process], None]
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


class _Timer:
    """A timer that rings once."""

    def __init__(
        self, parent: Any, seconds: float, callback: Callable[[], None], onEnd: Callable[[_Timer], None]
    ) -> None:
        self._callback: Callable[[], None] | None = callback
        self._onEnd = onEnd
        self._timer = qt.QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(max(0, round(1000 * seconds)))
        self._timer.connect("timeout()", self._ring)
        self._timer.start()

    def cancel(self) -> None:
        """Stops it. Does nothing once it has rung."""
        if self._callback is not None:
            self._callback = None
            self._timer.stop()
            self._timer.deleteLater()
            self._onEnd(self)

    def _ring(self) -> None:
        callback = self._callback
        if callback is not None:
            self.cancel()
            callback()


def _trust(outgoing: Any, certificates: str) -> bool:
    """Lets a request trust the certificates of a file, too; whether there are any."""
    configuration = qt.QSslConfiguration.defaultConfiguration()
    if not configuration.addCaCertificates(certificates):
        return False
    outgoing.setSslConfiguration(configuration)
    return True
