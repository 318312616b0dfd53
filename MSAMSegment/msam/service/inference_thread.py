"""The one thread that uses a device."""

from __future__ import annotations

import logging
import threading
from typing import Any

from msam.errors import Cancelled, MsamError
from msam.service.bench import Bench
from msam.service.fair_queue import FairQueue
from msam.service.log import place_of
from msam.service.metrics import Metrics
from msam.service.runs import Run

logger = logging.getLogger(__name__)


class InferenceThread:
    """Works on the runs of a queue, one after the other."""

    def __init__(self, bench: Bench, queue: FairQueue[Run[Any]], metrics: Metrics) -> None:
        self.bench = bench
        self.queue = queue
        self.failure: MsamError | None = None
        self.prepared = threading.Event()
        self._metrics = metrics
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
        except MsamError as error:
            self.failure = error
            logger.error("device", extra={"fields": {"problem": str(error)}})
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
        elif error is not None:
            outcome = "failed"
            # The text of an unforeseen error may repeat its input; where it arose does not.
            logger.error("run failed", extra={"fields": {"error": type(error).__name__, "at": place_of(error)}})
        self._metrics.count("msam_runs_total", outcome=outcome)
        if self.failure is None:
            self.bench.take_stock()
