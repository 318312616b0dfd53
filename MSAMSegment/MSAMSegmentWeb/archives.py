"""Unpacks a zip file that somebody sent, without trusting it."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from msam.errors import MsamError

PORTION = 1 << 20
# Bookkeeping of macOS, which names itself like the files it belongs to.
IGNORED = ("__MACOSX/",)
IGNORED_NAMES = (".DS_Store", "DICOMDIR")


def unpack(packed: Path, folder: Path, *, most_files: int, most_bytes: int) -> None:
    """Writes the files of a zip into a folder, all next to each other, whatever folders they were in.

    Raises:
        MsamError: it is damaged or locked, or holds more than is taken.
    """
    from MSAMSegmentWeb.uploads import free_path

    try:
        with zipfile.ZipFile(packed) as archive:
            entries = [entry for entry in archive.infolist() if _is_wanted(entry)]
            if len(entries) > most_files or sum(entry.file_size for entry in entries) > most_bytes:
                raise MsamError("The zip file holds more than this page takes; send the folder of one scan.")
            if any(entry.flag_bits & 1 for entry in entries):
                raise MsamError("The zip file is locked by a password; unpack it first and send what is in it.")
            left = most_bytes
            for entry in entries:
                with archive.open(entry) as source, free_path(folder, entry.filename).open("wb") as target:
                    # The directory of a zip can lie about the size of its files.
                    while portion := source.read(PORTION):
                        left -= len(portion)
                        if left < 0:
                            raise MsamError("The zip file holds more than it says; it is damaged.")
                        target.write(portion)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise MsamError("The zip file is damaged or of an unknown kind; pack it again.") from error


def pack(files: list[Path], packed: Path) -> None:
    """Puts files into a zip file; label files are compressed already."""
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            with file.open("rb") as source, archive.open(file.name, "w") as target:
                shutil.copyfileobj(source, target, PORTION)


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename.rpartition("/")[2]
    return not entry.is_dir() and not entry.filename.startswith(IGNORED) and name not in IGNORED_NAMES
