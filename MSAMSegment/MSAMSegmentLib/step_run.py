"""`StepRunner`: one step at a time, the newest one next, and an end to all of it at any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from msam.errors import Cancelled, MsamError
from msam.protocol.steps import StepReply
from MSAMSegmentLib.engine_link import EngineLink
from MSAMSegmentLib.known_volume import Identities
from MSAMSegmentLib.step_errand import StepCallbacks, StepErrand, StepSpec
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Transport

if TYPE_CHECKING:
    from MSAMSegmentLib.scans import Scan

__all__ = ["StepRunner", "StepSpec"]


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A step that somebody asked for."""

    scan: Scan
    spec: StepSpec
    callbacks: StepCallbacks
    onSuperseded: Callable[[], None] | None


class StepRunner:
    """Sends steps to an engine, starting it, bringing it the scan and asking again as need be."""

    def __init__(self, link: EngineLink, transport: Transport) -> None:
        """A runner that is idle."""
        self._link = link
        self._transport = transport
        self._identities = Identities()
        self._running: StepErrand | None = None
        self._current: _Wanted | None = None
        self._waiting: _Wanted | None = None
        self._ending = 0

    @property
    def isBusy(self) -> bool:
        """Whether a step runs or waits, or somebody has still to be told of a cancel."""
        return self._current is not None or self._waiting is not None or self._ending > 0

    def run(
        self,
        scan: Scan,
        spec: StepSpec,
        onProgress: Callable[[float, str], None],
        onDone: Callable[[StepReply], None],
        onError: Callable[[MsamError], None],
        onSuperseded: Callable[[], None] | None = None,
    ) -> None:
        """Runs a step as soon as the one that runs now has ended; it takes the place of one that waits.

        All callbacks come later, never from within this call.

        Args:
            scan: what is segmented. Its voxels are held until the step has ended, and must not change meanwhile.
            spec: what is asked for.
            onProgress: called with the fraction done, 0 to 1, and words.
            onDone: called with the reply, its mask on the scan's grid.
            onError: called with what went wrong, `Cancelled` after a cancel.
            onSuperseded: called instead of both when a newer step took its place before it had begun.
        """
        wanted = _Wanted(scan, spec, StepCallbacks(onProgress, onDone, onError), onSuperseded)
        if self._current is None:
            self._start(wanted)
            return
        replaced, self._waiting = self._waiting, wanted
        if replaced is not None and replaced.onSuperseded is not None:
            self._tell(replaced.onSuperseded)

    def cancel(self) -> None:
        """Ends what runs and what waits, whatever stage it is at. Does nothing when idle."""
        running, current, waiting = self._running, self._current, self._waiting
        self._running = self._current = self._waiting = None
        if running is not None:
            running.cancel()
        for wanted in (current, waiting):
            if wanted is not None:
                self._tell(partial(wanted.callbacks.onError, _cancelled()))

    def _start(self, wanted: _Wanted) -> None:
        self._current = wanted
        told = wanted.callbacks
        # The errand asks for the engine before it comes back from here, and would tell of that at once.
        self._running = StepErrand(
            self._link,
            self._transport,
            self._identities,
            wanted.scan,
            wanted.spec,
            StepCallbacks(
                lambda fraction, words: self._progress(wanted, fraction, words),
                lambda reply: self._ended(wanted, lambda: told.onDone(reply)),
                lambda error: self._ended(wanted, lambda: told.onError(error)),
            ),
        )

    def _progress(self, wanted: _Wanted, fraction: float, words: str) -> None:
        if self._current is wanted:
            wanted.callbacks.onProgress(fraction, words)

    def _ended(self, wanted: _Wanted, tell: Callable[[], None]) -> None:
        if self._current is not wanted:
            return
        self._running = self._current = None
        following, self._waiting = self._waiting, None
        if following is not None:
            self._start(following)
        tell()

    def _tell(self, callback: Callable[[], None]) -> None:
        self._ending += 1

        def ended() -> None:
            self._ending -= 1
            callback()

        self._transport.callLater(0, ended)


def _cancelled() -> Cancelled:
    return Cancelled(_("The run was cancelled. The points and the mask are as they were before it."))
