"""Where an engine stands, in sentences for people."""

from __future__ import annotations

from msam.protocol.events import Progress
from MSAMSegmentLib.translation import tr as _

STOPPED = _("The engine is not running; it starts with the first click.")


def startingWords(host: str, progress: Progress | None) -> str:
    """What is said while it starts.

    Args:
        host: its address; "" on this computer.
        progress: what it said last of its start; None for nothing yet.
    """
    if host:
        return _("Asking the engine at {address}").format(address=host)
    if progress is None:
        return _("Starting the engine")
    return _("Starting the engine: {words} ({fraction:.0%})").format(words=progress.words, fraction=progress.fraction)


def readyWords(host: str, model: str, devices: str) -> str:
    """What is said once it is ready.

    Args:
        host: its address; "" on this computer.
        model: that it has loaded; "" for none.
        devices: where models run; "" while that is not known.
    """
    model, place = model or _("no model"), host or _("this computer")
    if devices:
        return _("Ready: {model} on {devices}, {place}.").format(model=model, devices=devices, place=place)
    return _("Ready: {model}, {place}.").format(model=model, place=place)
