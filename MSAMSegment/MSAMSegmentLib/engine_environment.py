"""The environment that the engine's process gets: which depends on whose interpreter runs it."""

from __future__ import annotations

import os
from pathlib import Path

import slicer

import msam

# Where programs, libraries and certificates are taken from: one place or several.
PLACES = (
    "PATH",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "QT_PLUGIN_PATH",
    "SSL_CERT_FILE",
)


def startupEnvironment() -> dict[str, str]:
    """What the application was started with: without what was put in for its own libraries."""
    if not hasattr(getattr(slicer, "app", None), "startupEnvironment"):
        return dict(os.environ)
    environment = dict(slicer.util.startupEnvironment())
    # A launcher keeps what was there before it. Without one, as on macOS, the application has put its own in by itself.
    home = getattr(slicer.app, "slicerHome", "")
    return _withoutPlacesIn(home, environment) if home else environment


def ownEnvironment() -> dict[str, str]:
    """For the application's own interpreter, which needs all that its launcher has put in, and the engine's modules.

    A launcher of that interpreter may put its own folders before those modules; see `command.module_command`.
    """
    environment = dict(os.environ)
    folders = [str(Path(msam.__file__).parents[1]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)
    return environment


def _withoutPlacesIn(home: str, environment: dict[str, str]) -> dict[str, str]:
    kept = {}
    for name, value in environment.items():
        if name.upper() in PLACES:  # Windows has "Path"
            places = [place for place in value.split(os.pathsep) if not Path(place).is_relative_to(home)]
            if value and not places:
                continue
            value = os.pathsep.join(places)
        kept[name] = value
    return kept
