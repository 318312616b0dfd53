"""The one thread that uses a device."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from msam.errors import Cancelled, DeviceError, MsamError
from msam.protocol.names import Code
from msam.protocol.problems import ServiceError
from msam.service.bench import Bench
from msam.service.fair_queue import FairQueue
from msam.service.log import place_of
from msam.service.metrics import Metrics
from msam.service.runs import Run

logger = logging.getLogger(__name__)
# How a run can end, as the metrics tell it.
OUTCOMES = ("done", "cancelled", "refused", "failed")


class InferenceThread:
    """Works on the runs of a queue, one after the other."""

    def __init__(self, bench: Bench, queue: FairQueue[Run[Any]], metrics: Metrics, lost: Callable[[], None]) -> None:
        """A thread that has not begun.

        Args:
            bench: the device.
            queue: where its runs come from.
            metrics: where they are counted.
            lost: called when the device can no longer be used by this process.
        """
        self.bench = bench
        self.queue = queue
        self.failure: MsamError | None = None
        self.prepared = threading.Event()
        self._metrics = metrics
        for outcome in OUTCOMES:
            metrics.count("msam_runs_total", by=0, outcome=outcome)
        self._lost = lost
        # A daemon: a step that is still being computed does not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=f"inference {bench.device}", daemon=True)

    def start(self) -> None:
        """Begins to work, with importing PyTorch: the service answers before that has been done."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Takes no more runs and waits for the current one, but not for longer than that."""
        self.queue.close()
        self._thread.join(seconds)

    def _work(self) -> None:
        try:
            self.bench.prepare()
        except Exception as error:
            # Whatever it is: a thread that ended here would leave everybody waiting.
            self.failure = error if isinstance(error, MsamError) else DeviceError(_unusable(error))
            logger.error("device", extra={"fields": {"problem": str(self.failure)}})
        finally:
            self.prepared.set()
        while (run := self.queue.get()) is not None:
            self._perform(run)

    def _perform(self, run: Run[Any]) -> None:
        error = run.fail(self.failure) if self.failure is not None else run.perform(self.bench)
        outcome = "done"
        if isinstance(error, Cancelled):
            outcome = "cancelled"
        elif isinstance(error, MsamError):
            outcome = "refused"
            if isinstance(error, ServiceError) and error.code == Code.OUT_OF_MEMORY:
                # Whoever comes back in a moment finds more room.
                self.bench.free()
        elif error is not None:
            outcome = "failed"
            # The text of an unforeseen error may repeat its input; where it arose does not.
            logger.error("run failed", extra={"fields": {"error": type(error).__name__, "at": place_of(error)}})
        self._metrics.count("msam_runs_total", outcome=outcome)
        if self.failure is None and not self.bench.take_stock():
            self.failure = DeviceError(
                "The graphics card does not answer any more; the engine has to be started again."
            )
            logger.error("device", extra={"fields": {"problem": str(self.failure)}})
            self._lost()


def _unusable(error: Exception) -> str:
    return f"PyTorch cannot be used ({type(error).__name__}: {error}). Install it again for the engine's Python."
