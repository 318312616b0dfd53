"""Structured logs: what happened, never to whom. No names, no clicks, no contents, no hashes of scans."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msam.protocol.events import Log, encode_event

Write = Callable[[bytes], None]


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
            # Of several lines, the first: what asyncio says further down repeats the text of an error.
            message = record.getMessage().partition("\n")[0]
            self._write(encode_event(Log(record.levelname.lower(), message, fields)))
        except (OSError, ValueError):
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Does nothing: where the log cannot be written to, there is nobody to tell."""


def log_to(write: Write, dated: bool = False) -> None:
    """Sends what this package and the server log to a writer of lines, and nothing elsewhere.

    Args:
        write: takes each line.
        dated: each line tells its time, in UTC.
    """
    root = logging.getLogger()
    root.handlers[:] = [JsonLines(write, dated)]
    root.setLevel(logging.WARNING)
    logging.getLogger("msam").setLevel(logging.INFO)
    logging.captureWarnings(True)


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
