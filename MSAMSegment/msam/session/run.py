"""One run: its progress, its end on request, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from msam.errors import Cancelled

Progress = Callable[[float, str], None]
Stage = Literal["cut", "encode", "decode", "paste"]


class Run:
    """Reports progress that never goes back, polls for a cancel, and adds up times."""

    def __init__(self, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self._start = time.perf_counter()
        self._seconds: dict[str, float] = {"cut": 0.0, "encode": 0.0, "decode": 0.0, "paste": 0.0}
        self._span = (0.0, 1.0)
        self._reached = 0.0

    def poll(self) -> None:
        """Ends the run when its caller wants that.

        Raises:
            Cancelled: the caller does.
        """
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("The run was cancelled. The points and the mask are as they were before it.")

    def report(self, fraction: float, words: str) -> None:
        """Says how much of the current part is done, 0 to 1, and what comes now; polls for a cancel first."""
        self.poll()
        low, high = self._span
        self._reached = max(self._reached, low + (high - low) * min(1.0, max(0.0, fraction)))
        if self._progress is not None:
            self._progress(self._reached, words)

    @contextmanager
    def part(self, low: float, high: float) -> Iterator[None]:
        """Lets the fractions reported inside run from `low` to `high` of the part around it."""
        before = self._span
        start, stop = before
        self._span = (start + (stop - start) * low, start + (stop - start) * high)
        try:
            yield
        finally:
            self._span = before

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Adds the time spent inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - start

    def timings(self) -> dict[str, float]:
        """Seconds of every stage, and "total" since the run began."""
        return {**self._seconds, "total": time.perf_counter() - self._start}
