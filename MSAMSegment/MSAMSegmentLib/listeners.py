"""Who is told when something changes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from MSAMSegmentLib.status import LogicEvent

Listener = Callable[[LogicEvent], None]

log = logging.getLogger(__name__)


class Listeners:
    """Listeners in the order in which they came. One that fails keeps nobody else from being told."""

    def __init__(self) -> None:
        self._all: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Tells a listener from now on; once for each event, however often it is added."""
        if listener not in self._all:
            self._all.append(listener)

    def remove(self, listener: Listener) -> None:
        """Tells it no more; does nothing when it is not known."""
        if listener in self._all:
            self._all.remove(listener)

    def clear(self) -> None:
        """Tells nobody any more."""
        self._all.clear()

    def tell(self, *events: LogicEvent) -> None:
        """Tells everybody of events, one after the other."""
        for event in events:
            for listener in tuple(self._all):
                try:
                    listener(event)
                except Exception:
                    log.exception("A listener failed at the event %s", event.value)
