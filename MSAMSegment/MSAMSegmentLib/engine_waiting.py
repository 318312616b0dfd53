"""Those who wait for the engine to be ready."""

from __future__ import annotations

from collections.abc import Callable

from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol.problems import ServiceError


class Waiting:
    """One who waits."""

    def __init__(self, onReady: Callable[[Endpoint], None], onFailed: Callable[[MsamError], None]) -> None:
        self.onReady = onReady
        self.onFailed = onFailed
        self.isOver = False

    def cancel(self) -> None:
        """Waits no longer."""
        self.isOver = True


class Waiters:
    """All who wait, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def add(self, onReady: Callable[[Endpoint], None], onFailed: Callable[[MsamError], None]) -> Waiting:
        """One more; told once, unless it gives up before."""
        self._waiting.append(Waiting(onReady, onFailed))
        return self._waiting[-1]

    def tell(self, endpoint: Endpoint | None, words: str) -> None:
        """Tells all of them where the engine is, or why there is none."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            # The one before may have made another one give up.
            if each.isOver:
                continue
            each.isOver = True
            if endpoint is not None:
                each.onReady(endpoint)
            else:
                each.onFailed(ServiceError(words))

    def clear(self) -> None:
        """Nobody is told any more."""
        self._waiting.clear()
