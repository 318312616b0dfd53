"""The environment that the engine's process gets: which depends on whose interpreter runs it."""

from __future__ import annotations

import os
from pathlib import Path

import slicer

import msam


def startupEnvironment() -> dict[str, str]:
    """What the application was started with: without what its launcher has put in for its own libraries."""
    if hasattr(getattr(slicer, "app", None), "startupEnvironment"):
        return dict(slicer.util.startupEnvironment())
    return dict(os.environ)


def ownEnvironment() -> dict[str, str]:
    """For the application's own interpreter, which needs all that its launcher has put in, and the engine's modules."""
    environment = dict(os.environ)
    folders = [str(Path(msam.__file__).parents[1]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)
    return environment
