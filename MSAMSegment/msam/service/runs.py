"""Steps that have been asked for and not been answered yet: how far they are, and their end on request."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from msam.errors import Cancelled
from msam.protocol.messages import RunStatus
from msam.protocol.names import Code
from msam.protocol.problems import ServiceError
from msam.service.fair_queue import Caller
from msam.service.memory import translated

if TYPE_CHECKING:
    from msam.service.bench import Bench

Outcome = TypeVar("Outcome")


class Run(Generic[Outcome]):
    """Work for an inference thread, and the future of its outcome, which a handler of requests waits for.

    The future can be settled before the work has ended: who cancels need not wait for the device.
    """

    def __init__(self, name: str, caller: Caller, work: Callable[[Bench, Run[Outcome]], Outcome]) -> None:
        """Work that has not begun.

        Args:
            name: of the run.
            caller: whose turn it is when it is worked on.
            work: what to do; it polls `cancelled` and calls `report`.
        """
        self.name = name
        self.caller = caller
        self.state = "waiting"
        self.fraction = 0.0
        self.words = "Waiting for a free device"
        self.asked = time.perf_counter()
        self.waited = 0.0
        self._work = work
        self._cancelled = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Outcome] = self._loop.create_future()

    def cancelled(self) -> bool:
        """Whether nobody wants the outcome any more."""
        return self._cancelled.is_set()

    def report(self, fraction: float, words: str) -> None:
        """Notes how far the work is."""
        self.fraction, self.words = fraction, words

    def cancel(self) -> None:
        """Ends the run for whoever waits for it; the work ends at its next poll. Only in the loop's thread."""
        self.state, self.words = "cancelled", "Cancelled"
        self._cancelled.set()
        if not self.outcome.done():
            self.outcome.set_exception(Cancelled("The run was cancelled. Nothing has changed."))

    def fail(self, error: Exception) -> Exception:
        """Settles the future with an error without doing the work; gives the error back."""
        self._settle(lambda: self.outcome.set_exception(error))
        return error

    def perform(self, bench: Bench) -> Exception | None:
        """Does the work, in an inference thread, and settles the future.

        Returns:
            What went wrong.
        """
        if self.cancelled():
            return Cancelled("cancelled while it waited")
        self.state, self.waited = "running", time.perf_counter() - self.asked
        try:
            outcome = self._work(bench, self)
        except Exception as error:
            return self.fail(translated(error))
        self._settle(lambda: self.outcome.set_result(outcome))
        return None

    def _settle(self, action: Callable[[], None]) -> None:
        # The loop is closed when the service has stopped without waiting for this run.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(lambda: None if self.outcome.done() else action())


class Runs:
    """The runs that have not been answered, by their names. Only for the loop's thread."""

    def __init__(self, ahead_of: Callable[[Run[bytes]], int], remove: Callable[[Run[bytes]], bool]) -> None:
        self._runs: dict[str, Run[bytes]] = {}
        self._ahead_of = ahead_of
        self._remove = remove

    def add(self, run: Run[bytes]) -> None:
        """Takes a run in. One of the same name is cancelled: its client asks again because the connection broke."""
        if run.name in self._runs:
            self.cancel(run.name)
        self._runs[run.name] = run

    def discard(self, run: Run[bytes]) -> None:
        """Forgets a run that has been answered; one that nobody waits for any more is cancelled."""
        if self._runs.get(run.name) is run:
            del self._runs[run.name]
        if not run.outcome.done():
            run.cancel()
        if not run.outcome.cancelled():
            run.outcome.exception()  # looked at, so that asyncio does not complain of it
        self._remove(run)

    def status(self, name: str) -> RunStatus:
        """How far a run is.

        Raises:
            ServiceError: there is none of that name.
        """
        run = self._find(name)
        return RunStatus(run.state, run.fraction, run.words, self._ahead_of(run))

    def cancel(self, name: str) -> None:
        """Cancels a run.

        Raises:
            ServiceError: there is none of that name.
        """
        run = self._find(name)
        run.cancel()
        self._remove(run)

    def cancel_all(self) -> None:
        """Cancels every run."""
        for name in list(self._runs):
            self.cancel(name)

    def _find(self, name: str) -> Run[bytes]:
        if name not in self._runs:
            raise ServiceError("There is no such run; it may have ended.", Code.RUN_UNKNOWN)
        return self._runs[name]
