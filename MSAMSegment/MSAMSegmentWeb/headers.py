"""Looks at the header of a scan that somebody sent before it is read: it must not lead to a file of this computer.

NRRD and MetaImage headers can name the files that hold the voxels, and would be believed: whoever sends a header that
names /etc/passwd would see it as a picture.
"""

from __future__ import annotations

import re
from pathlib import Path

import SimpleITK as sitk

from msam.errors import VolumeError
from msam.io.images import quiet

# Other formats of ITK refer to other files too (HDF5 does), and scans do not come in them.
FORMATS = ("NiftiImageIO", "NrrdImageIO", "MetaImageIO", "GDCMImageIO")
# Real headers have a few thousand bytes, tens of thousands with a sequence in them. Longer ones keep readers busy for
# minutes.
LONGEST = 1 << 20

# Wider than the readers' own rules, so that nothing they would follow is missed.
NRRD_NAMES = re.compile(rb"(?:^|[\r\n])[ \t]*data[ \t_]*file[ \t]*:([^\r\n]*)", re.IGNORECASE)
NRRD_END = re.compile(rb"\n\r?\n")
META_NAMES = re.compile(rb"(?:^|[\r\n])[ \t]*ElementDataFile[ \t]*[=:]([^\r\n]*)", re.IGNORECASE)
INSIDE = "LOCAL"


def check(path: Path) -> None:
    """Makes sure that a file is a scan that can be read without looking elsewhere than beside it.

    Raises:
        VolumeError: it is of another format, its header is too long, or names a file that was not sent.
    """
    with quiet():
        format_name = sitk.ImageFileReader.GetImageIOFromFileName(str(path))
    if format_name and format_name not in FORMATS:
        raise VolumeError(f"'{path.name}' is no NIfTI, NRRD, MetaImage or DICOM; save the scan as one of these.")
    with path.open("rb") as file:
        start = file.read(LONGEST)
    if format_name == "NrrdImageIO":
        if not NRRD_END.search(start) and path.stat().st_size > LONGEST:
            raise _too_long(path)
        _check_names(path, NRRD_NAMES.findall(start))
    elif format_name == "MetaImageIO":
        names = META_NAMES.findall(start)
        if not names:
            raise _too_long(path)
        _check_names(path, [name for name in names if name.strip().decode("latin-1").upper() != INSIDE])


def _check_names(path: Path, names: list[bytes]) -> None:
    """Only a file that lies beside the header; no list or pattern of files, as these can name any."""
    for raw in names:
        name = raw.strip().decode("utf-8", "replace").removeprefix("./")
        is_plain = name and not name.upper().startswith("LIST") and not set(name) & set("/\\%\0")
        if not is_plain or not (path.parent / name).is_file():
            raise VolumeError(
                f"The voxels of '{path.name}' are in another file, {name[:80]!r}, which was not sent with it; choose "
                "both together."
            )


def _too_long(path: Path) -> VolumeError:
    return VolumeError(f"The header of '{path.name}' is damaged, or too long for this page; save the scan again.")
