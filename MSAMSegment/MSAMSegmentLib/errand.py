"""Something that takes several turns of the event loop, and can be given up between any two of them."""

from __future__ import annotations

from MSAMSegmentLib.transport import Cancellable


class Errand:
    """Holds what is under way right now.

    Attributes:
        isOver: it was given up, or has ended; nobody is to be called any more.
    """

    def __init__(self) -> None:
        self.isOver = False
        self._held: dict[str, Cancellable] = {}

    def hold(self, thing: Cancellable, place: str = "") -> None:
        """Takes the next thing under way, instead of the last one of that place."""
        self._held[place] = thing

    def release(self, place: str = "") -> None:
        """Gives up what is under way in a place."""
        held = self._held.pop(place, None)
        if held is not None:
            held.cancel()

    def cancel(self) -> None:
        """Gives up all that is under way. Does nothing the second time."""
        self.isOver = True
        while self._held:
            self._held.popitem()[1].cancel()
