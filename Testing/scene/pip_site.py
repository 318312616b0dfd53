"""A folder that packages are installed into, and a transport whose processes do it, as pip would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stand_in_engine import StandInProcess, StandInTransport

from MSAMSegmentLib.transport import ProcessCallbacks


class Site:
    """A folder of packages that Python finds, and all that was put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.installed: list[str] = []
        self.broken: set[str] = set()

    def put(self, requirement: str) -> int:
        """Installs a package, as pip would, and answers pip's exit code."""
        name, version = requirement.split(">=")
        if name in self.broken:
            return 1
        self.installed.append(requirement)
        (self.folder / name).mkdir()
        (self.folder / name / "__init__.py").touch()
        description = self.folder / f"{name}-{version}.dist-info"
        description.mkdir()
        (description / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return 0


class PipProcess(StandInProcess):
    """A process of pip; a test lets it end."""

    def closeInput(self) -> None:
        """Nothing that pip would wait for."""


class PipTransport(StandInTransport):
    """Starts processes that install into a site, at once unless they are to wait.

    Attributes:
        waits: processes go on until the test ends them.
    """

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.waits = False

    def startProcess(
        self, command: Sequence[str], environment: Mapping[str, str], callbacks: ProcessCallbacks
    ) -> PipProcess:
        """Installs the package that the command names."""
        self.commands.append(list(command))
        self.environments.append(dict(environment))
        process = PipProcess(self, len(self.processes), callbacks)
        self.processes.append(process)
        if not self.waits:
            wanted = next(word for word in command if ">=" in word)
            self.callLater(0, lambda: process.end(self.site.put(wanted)))
        return process
