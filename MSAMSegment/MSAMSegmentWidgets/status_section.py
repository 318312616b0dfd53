"""Where things stand, in words and as a bar, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt
from slicer.i18n import tr as _

from MSAMSegmentLib import LogicEvent
from MSAMSegmentWidgets.engine_choice import EngineChoice
from MSAMSegmentWidgets.section import Section, allow

# A bar that comes and goes at every click is a nuisance: it is shown for what takes longer than this.
PATIENCE_MS = 400


@dataclass(frozen=True)
class Work:
    """Something that is under way beside the engine: a download, an installation.

    Attributes:
        words: what is being done.
        fraction: that is done, 0 to 1; None when it is not known.
        cancel: ends it.
    """

    words: str
    fraction: float | None
    cancel: Callable[[], Any]


class StatusSection(Section):
    """The line of words, the bar, and the buttons beside it.

    Attributes:
        choice: the engine that is looked for; None until the panel is made.
    """

    def setup(self) -> None:
        self._said = ""
        self._open = True
        self._work: Work | None = None
        self.choice: EngineChoice | None = None
        self.onClick(self.ui.cancelButton, self._cancel)
        self.onClick(self.ui.retryButton, self.logic.retry)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.connect("timeout()", self._showProgress)

    def say(self, words: str) -> None:
        """Shows a sentence until something else happens."""
        self._said = words
        self.ui.statusLabel.text = words

    def work(self, words: str, fraction: float | None, cancel: Callable[[], Any]) -> None:
        """See `Sayer.work`."""
        self._work = Work(words, fraction, cancel)
        self.show(None)

    def rest(self) -> None:
        """See `Sayer.rest`."""
        self._work = None
        self.show(None)

    def show(self, event: LogicEvent | None) -> None:
        if not self._open:
            return
        if event in (LogicEvent.STATUS, LogicEvent.SELECTION, LogicEvent.RESULT, LogicEvent.POINTS):
            self._said = ""
        status, choice = self.logic.status, self.choice
        isLooking, needsSetUp = (choice.isLooking, choice.needsSetUp) if choice is not None else (False, False)
        hasFailed = bool(self.logic.lastError) and not status.isBusy
        words = _("The engine is being looked for; the points are sent when it is found.")
        words = self._said or (words if hasFailed and isLooking else status.words)
        self.ui.statusLabel.text = words if self._work is None else self._work.words
        self.ui.retryButton.visible = hasFailed and not isLooking and not needsSetUp and self._work is None
        self.ui.setUpButton.visible = needsSetUp and self._work is None
        if self._work is not None or not status.isBusy:
            self._timer.stop()
            self._showProgress()
        elif self.ui.progressBar.visible:
            self._showProgress()
        elif not self._timer.isActive():
            self._timer.start()

    def close(self) -> None:
        self._open = False
        self._timer.stop()

    def _cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()
        else:
            self.logic.cancel()

    def _showProgress(self) -> None:
        status, work, bar = self.logic.status, self._work, self.ui.progressBar
        isBusy = work is not None or status.isBusy
        fraction = status.fraction if work is None else work.fraction
        bar.visible = isBusy
        bar.maximum = 0 if fraction is None else 100  # no end known: the bar runs to and fro
        bar.value = 0 if fraction is None else round(100 * fraction)
        self.ui.cancelButton.visible = isBusy
        allow(
            self.ui.cancelButton,
            _("Ends what is under way. The points stay."),
            "" if work is not None or status.isCancellable else _("This cannot be ended any more; it is nearly done."),
        )
