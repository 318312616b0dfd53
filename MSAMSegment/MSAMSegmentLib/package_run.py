"""One run of pip, or of what runs it, in a process of its own: nothing waits for it, and it can be ended any time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from MSAMSegmentLib.engine_environment import ownEnvironment
from MSAMSegmentLib.package_versions import installed_versions
from MSAMSegmentLib.requirements import isAtLeast
from MSAMSegmentLib.transport import ProcessCallbacks, Transport

# From this version on pip can tell of its downloads in numbers; others refuse to start when asked to.
PIP_WITH_NUMBERS = "24.1"
# What pip says: of a file that it begins to download, of how much of it is there, and of what goes wrong.
DOWNLOADING = re.compile(r"\s*Downloading (?:\S*/)?(\S+)")
DOWNLOADED = re.compile(r"\s*Progress (\d+) of (\d+)")
COMPLAINT = re.compile(r"\s*ERROR: (.+)")


class PackageRun:
    """A module that installs packages, such as pip, while it runs.

    Attributes:
        complaint: what it said last of what went wrong; "" for nothing.
    """

    def __init__(
        self,
        transport: Transport,
        python: str,
        arguments: Sequence[str],
        onDownloaded: Callable[[str, int, int], None],
        onEnd: Callable[[int], None],
    ) -> None:
        """Starts it.

        Args:
            transport: that starts processes.
            python: the application's own interpreter, into which it installs.
            arguments: the module and what it is given, such as "pip", "install", "fastapi".
            onDownloaded: called with a file's name, how many of its bytes are there, and how many it has.
            onEnd: called later, once, with the exit code, which is not 0 when it did not work.
        """
        self.complaint = ""
        self._file = ""
        self._onDownloaded = onDownloaded
        self._onEnd = onEnd
        callbacks = ProcessCallbacks(self._said, self._said, onEnd, self._notStarted)
        self._process = transport.startProcess([python, "-u", "-m", *arguments], _environment(), callbacks)
        # Whatever it might ask, nobody is there to answer.
        self._process.closeInput()

    def kill(self) -> None:
        """Ends it at once; `onEnd` is still called."""
        self._process.kill()

    def _said(self, line: bytes) -> None:
        words = line.decode(errors="replace").rstrip()
        numbers = DOWNLOADED.match(words)
        if numbers:
            self._onDownloaded(self._file, int(numbers[1]), int(numbers[2]))
            return
        print(words)  # noqa: T201 - Slicer shows it in its Python console, as it does with all that pip says
        file, complaint = DOWNLOADING.match(words), COMPLAINT.match(words)
        self._file = file[1] if file else self._file
        self.complaint = complaint[1] if complaint else self.complaint

    def _notStarted(self, reason: str) -> None:
        self.complaint = reason
        self._onEnd(-1)


def _environment() -> dict[str, str]:
    environment = ownEnvironment() | {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if isAtLeast(installed_versions(["pip"]).get("pip", "0"), PIP_WITH_NUMBERS):
        environment["PIP_PROGRESS_BAR"] = "raw"
    return environment
