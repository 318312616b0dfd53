"""A folder that packages are installed into, as pip would."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Site:
    """A folder of packages that Python finds, and all that was put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.installed: list[str] = []
        self.broken: set[str] = set()

    def put(self, requirement: str) -> None:
        """Installs a package, as pip would."""
        name, version = requirement.split(">=")
        if name in self.broken:
            raise subprocess.CalledProcessError(1, ["pip", "install", requirement])
        self.installed.append(requirement)
        (self.folder / name).mkdir()
        (self.folder / name / "__init__.py").touch()
        description = self.folder / f"{name}-{version}.dist-info"
        description.mkdir()
        (description / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
