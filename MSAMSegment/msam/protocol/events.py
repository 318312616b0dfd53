"""What the child process says on its standard output: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

LONGEST_LINE = 1 << 16


@dataclass(frozen=True)
class Ready:
    """The service listens, and its model, if one was named, is loaded."""

    port: int
    protocol: int
    version: str
    model: str | None
    shared_memory: bool


@dataclass(frozen=True)
class Failed:
    """The service cannot start; it ends after this."""

    message: str


@dataclass(frozen=True)
class Progress:
    """How far the start has come, 0 to 1."""

    fraction: float
    words: str


@dataclass(frozen=True)
class Log:
    """Anything worth a line in a log."""

    level: str
    message: str
    fields: dict[str, Any]


Event = Ready | Failed | Progress | Log
_KINDS: dict[str, type[Any]] = {"ready": Ready, "failed": Failed, "progress": Progress, "log": Log}


def encode_event(event: Event) -> bytes:
    """An event as a line."""
    name = next(name for name, kind in _KINDS.items() if isinstance(event, kind))
    return json.dumps({"event": name, **vars(event)}, separators=(",", ":")).encode() + b"\n"


def decode_event(line: bytes) -> Event:
    """The event of a line. A line that is none, such as what a library prints, becomes a line of the log."""
    try:
        values = json.loads(line[:LONGEST_LINE])
        kind = _KINDS[values.pop("event")]
        event: Event = kind(**values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Log("info", line[:LONGEST_LINE].decode("utf-8", "replace").strip(), {})
    if isinstance(event, Ready) and not (isinstance(event.port, int) and 0 < event.port < 1 << 16):
        return Failed("The engine announced a port that is none.")
    return event
