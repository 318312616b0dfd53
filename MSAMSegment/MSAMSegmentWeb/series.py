"""Which DICOM series lie in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from msam.io.images import quiet

MODALITY = "0008|0060"
DESCRIPTION = "0008|103e"


@dataclass(frozen=True)
class Series:
    """One series: its UID, and what a user tells it by. Nothing about the patient."""

    identifier: str
    title: str
    slices: int


def find(folder: Path) -> list[Series]:
    """The series of a folder, the longest first; empty when it holds no DICOM."""
    found = []
    with quiet():
        for identifier in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
            files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), identifier)
            found.append(Series(identifier, _title(files[0], len(files)), len(files)))
    return sorted(found, key=lambda one: -one.slices)


def _title(file: str, slices: int) -> str:
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return f"{slices} slices"
    words = [reader.GetMetaData(key).strip() for key in (MODALITY, DESCRIPTION) if reader.HasMetaDataKey(key)]
    return ", ".join([*filter(None, words), f"{slices} slices"])
