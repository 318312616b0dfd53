"""Where an engine stands, in sentences for people."""

from __future__ import annotations

from msam.protocol.events import Progress

STOPPED = "The engine is not running; it starts with the first click."


def startingWords(host: str, progress: Progress | None) -> str:
    """What is said while it starts.

    Args:
        host: its address; "" on this computer.
        progress: what it said last of its start; None for nothing yet.
    """
    if host:
        return f"Asking the engine at {host}"
    return f"Starting the engine: {progress.words} ({progress.fraction:.0%})" if progress else "Starting the engine"


def readyWords(host: str, model: str, devices: str) -> str:
    """What is said once it is ready.

    Args:
        host: its address; "" on this computer.
        model: that it has loaded; "" for none.
        devices: where models run; "" while that is not known.
    """
    device = f" on {devices}" if devices else ""
    return f"Ready: {model or 'no model'}{device}, {host or 'this computer'}."
