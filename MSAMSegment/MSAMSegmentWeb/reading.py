"""What is done to a scan in other threads: said on the page, and given up when the user wants it no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from trame_server.state import State

T = TypeVar("T")


class Dropped(Exception):
    """Nobody wants the result any more."""


class Reading:
    """Runs functions in other threads, and tells in the page's `loading` what is under way."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._jobs: dict[asyncio.Future[Any], str] = {}
        state.loading = ""

    async def do(self, words: str, function: Callable[[], T]) -> T:
        """Calls a function in another thread, and shows `words` meanwhile.

        Raises:
            Dropped: it was given up. A thread cannot be stopped, but what it comes to is dropped.
        """
        job = asyncio.ensure_future(asyncio.to_thread(function))
        self._jobs[job] = words
        self._show()
        try:
            await asyncio.wait({job})
        finally:
            job.cancel()
            del self._jobs[job]
            self._show()
        if job.cancelled():
            raise Dropped
        return job.result()

    def drop(self) -> bool:
        """Gives up what is under way; whether there was anything."""
        for job in self._jobs:
            job.cancel()
        return bool(self._jobs)

    def _show(self) -> None:
        with self._state:
            self._state.loading = next(reversed(self._jobs.values()), "")
