"""Downloading a public model: what it is, how large, under which licence; a yes; then a child process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from msam.checkpoints.catalogue import list_models
from msam.checkpoints.known import KNOWN_MODELS
from msam.protocol.events import Failed, Progress, decode_event
from MSAMSegmentWidgets.engine_choice import EngineChoice
from MSAMSegmentWidgets.section import Sayer


class ModelDownload:
    """Offers the public models one after the other, and brings the one that is wanted."""

    def __init__(self, choice: EngineChoice, sayer: Sayer, onInstalled: Callable[[], None]) -> None:
        self._choice, self._sayer, self._onInstalled = choice, sayer, onInstalled
        self._process: Any = None
        self._last = ""

    def offer(self) -> None:
        """Asks whether a public model that is not here yet is wanted."""
        if self._process is not None:
            self._sayer.say(_("A model is being downloaded already."))
            return
        here = {entry.name for entry in list_models() if entry.origin != "known"}
        offered = [model for model in KNOWN_MODELS if model.name not in here]
        if not offered:
            self._sayer.say(_("All public models that are known are installed."))
            return
        for model in offered:
            question = _(
                "{name}: {description}.\n\n{size} MB from {repository}. Licence: {licence}. {attribution}.\n\n"
                "Download it?"
            ).format(
                name=model.name,
                description=model.description,
                size=round(model.size / 1e6),
                repository=model.repository,
                licence=model.licence,
                attribution=model.attribution,
            )
            if slicer.util.confirmYesNoDisplay(question, windowTitle=_("Download a model")):
                self._last = ""
                self._sayer.work(_("Downloading {name} …").format(name=model.name), None, self._cancel)
                self._process = self._choice.downloader(model.name, self._onLine, self._onExit)
                return

    def _cancel(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _onLine(self, line: bytes) -> None:
        event = decode_event(line)
        if isinstance(event, Progress):
            self._sayer.work(f"{event.words} ({event.fraction:.0%})", event.fraction, self._cancel)
        elif isinstance(event, Failed):
            self._last = event.message

    def _onExit(self, code: int) -> None:
        self._process = None
        self._sayer.rest()
        if code == 0:
            self._onInstalled()
            self._sayer.say(_("The model is installed. Choose it in the list of models."))
        else:
            self._sayer.say(self._last or _("The download was stopped; it goes on from there the next time."))
