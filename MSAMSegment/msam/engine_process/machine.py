"""The life of the engine's process as a pure machine: it is told what happened and tells what to do.

    stopped --Start--> starting --Ready--> ready --Stop--> stopping --Exited--> stopped
                          |                  |
                          |                Exited: starting again, unless it happens too often
                          v                  v
                        failed  <------------+

It neither starts processes nor looks at clocks; whatever drives it does, and hands it the time with every event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from msam.protocol import events
from msam.protocol.names import VERSION

StateName = Literal["stopped", "starting", "ready", "stopping", "failed"]

# Seconds that the process may take to be ready: PyTorch from a cold disk, and a large model, take long.
START_SECONDS = 120.0
# Seconds that it may take to end by itself.
STOP_SECONDS = 6.0
# An engine that ends more often than this within so many seconds does not get better by being started again.
MOST_RESTARTS = 5
RESTART_SECONDS = 60.0
# Lines of the standard error that are kept for the words of a failure.
KEPT_LINES = 20
# 3D Slicer's Python runs beneath a launcher. When it crashes, the launcher says this and ends with a code of its own.
LAUNCHER_ON_CRASH = "exit abnormally - Report the problem."


# Events


@dataclass(frozen=True)
class Start:
    """The application wants the engine."""


@dataclass(frozen=True)
class Stop:
    """The application wants it no more."""


@dataclass(frozen=True)
class Restart:
    """The application found that the engine does not answer."""


@dataclass(frozen=True)
class Output:
    """A line on the standard output."""

    line: bytes


@dataclass(frozen=True)
class Complaint:
    """A line on the standard error."""

    line: bytes


@dataclass(frozen=True)
class Exited:
    """The process ended; a negative code says that something ended it."""

    code: int


@dataclass(frozen=True)
class NotStarted:
    """The process could not be started at all."""

    reason: str


@dataclass(frozen=True)
class Alarm:
    """The time that was asked for has passed."""


Event = Start | Stop | Restart | Output | Complaint | Exited | NotStarted | Alarm


# Actions


@dataclass(frozen=True)
class Spawn:
    """Start the process, with a new token on its standard input."""


@dataclass(frozen=True)
class CloseInput:
    """Close its standard input, which asks it to end."""


@dataclass(frozen=True)
class Kill:
    """End it at once."""


@dataclass(frozen=True)
class SetAlarm:
    """Send `Alarm` after so many seconds; it takes the place of an earlier one."""

    seconds: float


@dataclass(frozen=True)
class ClearAlarm:
    """Send no `Alarm`."""


@dataclass(frozen=True)
class Announce:
    """The engine listens at a port of this machine."""

    ready: events.Ready


@dataclass(frozen=True)
class Withdraw:
    """The engine that was announced is gone."""


@dataclass(frozen=True)
class Tell:
    """Something for the log, or the progress of the start."""

    event: events.Log | events.Progress


@dataclass(frozen=True)
class Fail:
    """The engine cannot be had; the words are for people."""

    message: str


Action = Spawn | CloseInput | Kill | SetAlarm | ClearAlarm | Announce | Withdraw | Tell | Fail


@dataclass(frozen=True)
class Machine:
    """Where the life of the process stands. Every event gives a new one.

    Attributes:
        state: see above.
        message: of the last failure.
        crashed: a launcher between this and the process has said that the process crashed.
    """

    state: StateName = "stopped"
    message: str = ""
    ends: tuple[float, ...] = ()
    complaints: tuple[str, ...] = field(default=(), repr=False)
    reason: str = ""
    wanted_after_stop: bool = False
    crashed: bool = False

    def on(self, event: Event, now: float) -> tuple[Machine, tuple[Action, ...]]:
        """What follows from an event.

        Args:
            event: what happened.
            now: seconds of any clock that never goes back.
        """
        match event:
            case Start():
                return self._start()
            case Stop():
                return self._stop()
            case Restart():
                return (self, (Kill(),)) if self.state in ("starting", "ready") else (self, ())
            case Output(line):
                return self._said(events.decode_event(line))
            case Complaint(line):
                return self._complained(line)
            case Exited(code):
                return self._exited(code, now)
            case NotStarted(reason):
                return self._failed(f"The engine cannot be started: {reason}")
            case Alarm():
                return self._too_late()

    def _start(self) -> tuple[Machine, tuple[Action, ...]]:
        if self.state in ("starting", "ready"):
            return self, ()
        if self.state == "stopping":
            return replace(self, wanted_after_stop=True), ()
        return Machine("starting"), (SetAlarm(START_SECONDS), Spawn())

    def _stop(self) -> tuple[Machine, tuple[Action, ...]]:
        if self.state == "stopping":
            return replace(self, wanted_after_stop=False), ()
        if self.state not in ("starting", "ready"):
            return replace(self, state="stopped"), ()
        withdrawal = (Withdraw(),) if self.state == "ready" else ()
        return replace(self, state="stopping"), (*withdrawal, CloseInput(), SetAlarm(STOP_SECONDS))

    def _said(self, event: events.Event) -> tuple[Machine, tuple[Action, ...]]:
        match event:
            case events.Ready() if self.state == "starting":
                if event.protocol != VERSION:
                    words = (
                        f"The engine speaks version {event.protocol} of the protocol and not {VERSION}. Install the "
                        "release of the engine that belongs to this application."
                    )
                    return replace(self, reason=words), (Kill(),)
                return replace(self, state="ready", reason=""), (ClearAlarm(), Announce(event))
            case events.Failed(message):
                return replace(self, reason=message), ()
            case events.Log() | events.Progress():
                return self, (Tell(event),)
        return self, ()

    def _complained(self, line: bytes) -> tuple[Machine, tuple[Action, ...]]:
        text = line.decode("utf-8", "replace").rstrip()
        if not text:
            return self, ()
        told = (Tell(events.Log("warning", text, {})),)
        if text.endswith(LAUNCHER_ON_CRASH):
            return replace(self, crashed=True), told
        return replace(self, complaints=(*self.complaints, text)[-KEPT_LINES:]), told

    def _exited(self, code: int, now: float) -> tuple[Machine, tuple[Action, ...]]:
        if self.state == "stopping":
            stopped = Machine("stopped")
            actions: tuple[Action, ...] = (ClearAlarm(),)
            if self.wanted_after_stop:
                stopped, again = stopped._start()
                actions += again
            return stopped, actions
        if self.state not in ("starting", "ready"):
            return self, ()
        if self.crashed:
            code = min(code, -1)
        withdrawal = (Withdraw(),) if self.state == "ready" else ()
        recent = (*(end for end in self.ends if now - end < RESTART_SECONDS), now)
        failure = self._why_not_again(code, len(recent))
        if failure:
            after, actions = self._failed(failure)
            return after, (*withdrawal, *actions)
        words = events.Log("warning", "The engine ended unexpectedly; it is started again.", {"code": code})
        after = Machine("starting", ends=recent, complaints=self.complaints)
        return after, (*withdrawal, Tell(words), SetAlarm(START_SECONDS), Spawn())

    def _why_not_again(self, code: int, ends: int) -> str:
        """Why an engine that ended is not started again; empty when it is."""
        if self.reason:
            return self.reason
        if self.state == "starting" and not self.ends and code >= 0:
            # It has never been ready, and nobody killed it: something is wrong that does not go away.
            return f"The engine ended while it was starting (code {code}).{_last(self.complaints)}"
        if ends > MOST_RESTARTS:
            return f"The engine ends again and again (code {code}).{_last(self.complaints)}"
        return ""

    def _failed(self, message: str) -> tuple[Machine, tuple[Action, ...]]:
        return Machine("failed", message), (ClearAlarm(), Fail(message))

    def _too_late(self) -> tuple[Machine, tuple[Action, ...]]:
        if self.state == "stopping":
            return self, (Kill(),)
        if self.state == "starting":
            words = f"The engine was not ready within {START_SECONDS:.0f} seconds.{_last(self.complaints)}"
            return replace(self, reason=words), (Kill(),)
        return self, ()


def _last(lines: Iterable[str]) -> str:
    """A sentence with the last line, which in a traceback says most; nothing without lines."""
    last = [line for line in lines if line.strip()][-1:]
    return f" Its last words: {last[0]}" if last else ""
