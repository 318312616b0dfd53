"""Folders for files on their way, named after the process that they belong to: so what a killed one left is found."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

NAME = re.compile(r"msam-(?:upload|download)-(\d+)-")


def make(kind: str) -> Path:
    """A new folder of this process that nobody else can look into; `kind` is "upload" or "download"."""
    return Path(tempfile.mkdtemp(prefix=f"msam-{kind}-{os.getpid()}-"))


def delete_own() -> None:
    """Deletes all folders of this process."""
    for folder, process in _all():
        if process == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)


def delete_left_behind() -> None:
    """Deletes the folders of this user whose process was ended before it could do so."""
    for folder, process in _all():
        if not _runs(process):
            shutil.rmtree(folder, ignore_errors=True)


def _all() -> Iterator[tuple[Path, int]]:
    """The folders of this user, and the process of each."""
    for path in Path(tempfile.gettempdir()).iterdir():
        named = NAME.match(path.name)
        # Whoever may write there can make links; only real folders of one's own are deleted.
        if named and path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid():
            yield path, int(named[1])


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # Somebody else's, under a number that has come round.
    return True
