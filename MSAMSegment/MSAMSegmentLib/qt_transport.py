"""`QtTransport`: the way to the world outside within 3D Slicer, on Qt's own network, process and timer classes.

Everything comes back from the application's event loop. Whatever is under way is kept referenced until it has ended:
Python would otherwise take it away from under Qt. What Qt makes belongs to a parent and is deleted by `deleteLater`,
never from within one of its own signals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import qt
import slicer

from MSAMSegmentLib.qt_exchange import QtExchange
from MSAMSegmentLib.qt_process import QtProcess
from MSAMSegmentLib.transport import Answer, Cancellable, ProcessCallbacks, Request

LOOK_SECONDS = 0.005


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


class QtTransport:
    """A `transport.Transport` on Qt."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._manager = qt.QNetworkAccessManager()
        # Apart by what is trusted: a manager goes on using a connection that it trusted once.
        self._trusting: dict[str, Any] = {}
        self._exchanges: set[QtExchange] = set()
        self._processes: set[QtProcess] = set()
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
        exchange = QtExchange(manager, request, onAnswer, onProgress, self.callLater, self._exchanges.discard)
        self._exchanges.add(exchange)
        exchange.begin()
        return exchange

    def startProcess(
        self, command: Sequence[str], environment: Mapping[str, str], callbacks: ProcessCallbacks
    ) -> QtProcess:
        """See `transport.Transport.startProcess`."""
        process = QtProcess(self._manager, callbacks, self.callLater, self._processes.discard)
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
        for thing in (*self._exchanges, *self._timers):
            thing.cancel()
        for process in tuple(self._processes):
            process.end()
