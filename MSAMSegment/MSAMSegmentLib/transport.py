"""What the scene side asks of the world outside: HTTP, child processes and timers, never with a thread of its own.

Python threads starve while a Qt application idles in its event loop, so everything here returns at once and calls
back from the event loop of whoever implements it: `qt_transport` inside 3D Slicer, `asyncio_transport` elsewhere.
Callbacks always come later, from the event loop, never from within the call that asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Request:
    """An HTTP request.

    Attributes:
        method: "GET", "PUT", "POST" or "DELETE".
        url: all of it.
        headers: by name; the values are plain ASCII.
        body: what is sent; b"" for nothing.
        seconds: after which it is given up.
        certificates: PEM file of the certificates to trust for https; None for the system's.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 30.0
    certificates: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP; 0 when there was no answer at all.
        body: of the answer; b"" without one.
        failure: why there was no answer, one of `failures.Failure`; "" when there was one, whatever its status.
    """

    status: int
    body: bytes = b""
    failure: str = ""


class Cancellable(Protocol):
    """Something under way."""

    def cancel(self) -> None:
        """Gives it up: its callback is not called any more. Does nothing once it has ended."""


class ChildProcess(Protocol):
    """A process that was started."""

    def write(self, data: bytes) -> None:
        """Writes to its standard input."""

    def closeInput(self) -> None:
        """Closes its standard input."""

    def kill(self) -> None:
        """Ends it at once; `onExit` is still called."""


@dataclass(frozen=True)
class ProcessCallbacks:
    """Who is told what of a process. Lines come without their line break.

    Attributes:
        onOutput: a line of its standard output.
        onComplaint: a line of its standard error.
        onExit: it ended, with its code (negative for a signal); called once, after all lines.
        onNotStarted: it could not be started at all; called instead of `onExit`.
    """

    onOutput: Callable[[bytes], None]
    onComplaint: Callable[[bytes], None]
    onExit: Callable[[int], None]
    onNotStarted: Callable[[str], None]


class Transport(Protocol):
    """The way to the world outside."""

    def send(
        self,
        request: Request,
        onAnswer: Callable[[Answer], None],
        onProgress: Callable[[int, int], None] | None = None,
    ) -> Cancellable:
        """Sends a request.

        Args:
            request: what to send.
            onAnswer: called once, unless it is cancelled.
            onProgress: called with the bytes sent and the bytes to send.
        """

    def startProcess(
        self, command: Sequence[str], environment: Mapping[str, str], callbacks: ProcessCallbacks
    ) -> ChildProcess:
        """Starts a process with exactly this environment; it ends with this application at the latest."""

    def callLater(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Calls once, after so many seconds (0 for as soon as the event loop is back)."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""

    def runUntil(self, isDone: Callable[[], bool], seconds: float) -> bool:
        """Keeps the event loop going until something is done, and tells whether it was done in time."""

    def close(self) -> None:
        """Cancels what is under way and ends the processes that were started."""
