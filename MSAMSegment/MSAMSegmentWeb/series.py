"""Which DICOM series lie in a folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from msam.io.images import FAILURES, metadata, opened, quiet

MODALITY = "0008|0060"
DESCRIPTION = "0008|103e"


@dataclass(frozen=True)
class Series:
    """One series: its UID, what a user tells it by, and its size. Nothing about the patient."""

    identifier: str
    title: str
    slices: int
    voxels: int


def find(folder: Path) -> list[Series]:
    """The series of a folder, the longest first; empty when it holds no DICOM."""
    found = []
    with quiet():
        for identifier in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
            files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), identifier)
            found.append(_series(identifier, files))
    return sorted(found, key=lambda one: -one.slices)


def _series(identifier: str, files: Sequence[str]) -> Series:
    """A series by the header of its first file: the others are as large, or the series is refused when it is read."""
    count = f"{len(files)} slices"
    try:
        reader = opened(Path(files[0]))
    except FAILURES:
        return Series(identifier, count, len(files), 0)
    words = [metadata(reader, key) for key in (MODALITY, DESCRIPTION)]
    voxels = len(files) * math.prod(reader.GetSize()) * reader.GetNumberOfComponents()
    return Series(identifier, ", ".join([*filter(None, words), count]), len(files), voxels)
