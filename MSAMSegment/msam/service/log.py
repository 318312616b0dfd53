"""Structured logs: what happened, never to whom. No names, no clicks, no contents, no hashes of scans."""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msam.access import origin
from msam.protocol.events import Log, encode_event

Write = Callable[[bytes], None]

# Of one complaint, within so many seconds.
MOST_IN_A_SPAN = 20
SPAN_SECONDS = 60.0


class JsonLines(logging.Handler):
    """Writes records as lines of JSON; what is logged as `extra={"fields": {...}}` becomes their fields."""

    def __init__(self, write: Write, dated: bool) -> None:
        super().__init__()
        self._write = write
        self._dated = dated

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record. A traceback is reduced to its place: its text may repeat what came from outside."""
        fields = {"time": _time_of(record)} if self._dated else {}
        fields |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields |= {"error": type(error).__name__, "at": place_of(error)}
        try:
            self._write(encode_event(Log(record.levelname.lower(), _first_line(record), fields)))
        except (OSError, ValueError):
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Does nothing: where the log cannot be written to, there is nobody to tell."""


class Repetitions(logging.Filter):
    """Lets a complaint pass so many times a minute: who can cause one without any key is not to fill a disk with it.

    When it passes again, the field `unsaid` tells how many times it did not.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._begun = clock()
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._before: Counter[tuple[object, ...]] = Counter()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is worth a line."""
        if record.levelno < logging.WARNING:
            return True
        fields: dict[str, object] = getattr(record, "fields", {})
        key = (record.name, _first_line(record), origin(str(fields.get("from"))), fields.get("at"))
        with self._lock:
            if self._clock() - self._begun >= SPAN_SECONDS:
                self._begun, self._before, self._counts = self._clock(), self._counts, Counter()
            self._counts[key] += 1
            unsaid = self._before.pop(key, 0) - MOST_IN_A_SPAN
            if unsaid > 0:
                record.fields = {**fields, "unsaid": unsaid}
            return self._counts[key] <= MOST_IN_A_SPAN


def log_to(write: Write, dated: bool = False) -> None:
    """Sends what this package and the server log to a writer of lines, and nothing elsewhere.

    Args:
        write: takes each line.
        dated: each line tells its time, in UTC.
    """
    root = logging.getLogger()
    handler = JsonLines(write, dated)
    handler.addFilter(Repetitions())
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("msam").setLevel(logging.INFO)
    logging.captureWarnings(True)


def _first_line(record: logging.LogRecord) -> str:
    """All that is told of a message: what asyncio says further down repeats the text of an error."""
    try:
        message = record.getMessage()
    except (KeyError, TypeError, ValueError):  # of a library whose message and its arguments do not fit
        message = str(record.msg)
    return message.partition("\n")[0]


def _time_of(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def file_writer(descriptor: int) -> Write:
    """Writes whole lines to a file descriptor, from any thread."""
    lock = threading.Lock()

    def write(line: bytes) -> None:
        with lock:
            while line:
                line = line[os.write(descriptor, line) :]

    return write


def place_of(error: BaseException) -> str:
    """Where an error arose: `bench.py:120 in segmenter`."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else "unknown"
