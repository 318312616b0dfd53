"""What all parts of the panel have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msam.errors import MsamError
from MSAMSegmentLib import LogicEvent, MSAMSegmentLogic


class Sayer(Protocol):
    """Whoever shows words to the user."""

    def say(self, words: str) -> None:
        """Shows a sentence until something else is to be said."""

    def work(self, words: str, fraction: float | None, cancel: Callable[[], Any]) -> None:
        """Shows that something beside the engine is under way, with a bar and a button that ends it, until `rest`.

        Args:
            words: what is being done.
            fraction: that is done, 0 to 1; None when it is not known.
            cancel: ends it.
        """

    def rest(self) -> None:
        """What `work` told of has ended."""


class Section:
    """A part of the panel: connects its widgets, and shows what the logic says.

    Attributes:
        ui: all widgets of the panel by their names.
        logic: what does the work.
    """

    def __init__(self, ui: Any, logic: MSAMSegmentLogic, sayer: Sayer) -> None:
        self.ui, self.logic, self._sayer = ui, logic, sayer
        self.setup()

    def setup(self) -> None:
        """Connects the widgets."""

    def show(self, event: LogicEvent | None) -> None:
        """Shows what the logic says after an event; everything for None."""

    def close(self) -> None:
        """Lets go of what would outlive the panel."""

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Does what the user asked for; what stands in the way is said in words."""
        try:
            return action()
        except MsamError as error:
            self._sayer.say(str(error))
            return None

    def onClick(self, button: Any, action: Callable[[], Any]) -> None:
        """Lets a button do something."""
        button.connect("clicked()", lambda: self.attempt(action))


def allow(widget: Any, tip: str, obstacle: str = "") -> None:
    """Enables a widget, or disables it and says why in its tooltip."""
    widget.enabled = not obstacle
    widget.toolTip = obstacle or tip
