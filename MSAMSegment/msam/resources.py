"""Where the files are that come with the program."""

from __future__ import annotations

from pathlib import Path


def resources_folder() -> Path:
    """The module's resources: beside the package in a source tree and in Slicer, inside it where pip installed it."""
    package = Path(__file__).parent
    beside = package.parent / "Resources"
    return beside if (beside / "Models").is_dir() else package / "Resources"
