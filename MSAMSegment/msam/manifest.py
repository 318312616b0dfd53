"""`manifest.json`: the labelled scans that training and evaluation work on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.errors import VolumeError
from msam.volume import Volume

MANIFEST = "manifest.json"
# The manifest's words for a modality, where they differ from the DICOM code.
DICOM_CODES = {"PET": "PT", "MRI": "MR"}
# Farthest that a label's matrix may be from its scan's, in mm: NIfTI keeps geometry in float32.
SAME_PLACE = 0.05
# A case `ID__SEQUENCE` is one of several scans of the patient ID.
SEQUENCE_MARK = "__"


@dataclass(frozen=True)
class Case:
    """One labelled scan.

    Attributes:
        dataset: the data set it belongs to.
        case: its name in there, with no more of the patient than the data set itself makes public.
        patient: whom it shows; scans of one patient are not independent. The manifest's `patient` where it has one,
            else what stands before a double underscore in the case, else the case.
        modality: DICOM code such as "CT", "MR", "PT".
        split: "train", "val" or another.
        image: the scan.
        label: its labels, on the same grid.
        labels: what the values of the label mean.
        frame: which volume of a scan that holds several, from 0.
    """

    dataset: str
    case: str
    patient: str
    modality: str
    split: str
    image: Path
    label: Path
    labels: Mapping[int, str]
    frame: int = 0

    def read(self) -> tuple[Volume, npt.NDArray[Any]]:
        """The scan and its label values (K, J, I).

        Raises:
            VolumeError: one of them cannot be read, or they lie on different grids.
        """
        scan, label = Volume.read(self.image, frame=self.frame), Volume.read(self.label)
        if label.voxels.shape != scan.voxels.shape:
            sizes = [" × ".join(map(str, volume.shape_ijk)) for volume in (scan, label)]
            raise VolumeError(f"{self.image.name} has {sizes[0]} voxels and its label {sizes[1]}; they must agree.")
        if not np.allclose(scan.ijk_to_ras, label.ijk_to_ras, rtol=0, atol=SAME_PLACE):
            raise VolumeError(f"{self.image.name} and its label lie in different places; resample the label.")
        return Volume(scan.voxels, scan.ijk_to_ras, self.modality, source=self.image), label.voxels


def read_manifest(path: Path, split: str) -> list[Case]:
    """The cases of a split, in the order of the file.

    Args:
        path: a `manifest.json`: a list of objects with `dataset`, `case`, `modality`, `split`, `image`, `label` (paths
            from the manifest's folder), `labels` (value to meaning) and, where wanted, `patient`.
        split: such as "train" or "val".

    Raises:
        VolumeError: the file cannot be read, an entry lacks a field, or there is no such split.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VolumeError(f"The manifest '{path}' cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise VolumeError(f"The manifest '{path.name}' is not JSON: {error}.") from error
    if not isinstance(entries, list):
        raise VolumeError(f"The manifest '{path.name}' must be a list of cases.")
    cases = [_case(entry, number, path) for number, entry in enumerate(entries, start=1)]
    found = [case for case in cases if case.split == split]
    if not found:
        splits = ", ".join(sorted({case.split for case in cases})) or "none"
        raise VolumeError(f"The manifest '{path.name}' has no split '{split}'; it has: {splits}.")
    return found


def _case(entry: Any, number: int, manifest: Path) -> Case:
    try:
        case = str(entry["case"])
        modality = str(entry["modality"]).split()[0].upper()
        return Case(
            dataset=str(entry["dataset"]),
            case=case,
            patient=str(entry.get("patient") or case.partition(SEQUENCE_MARK)[0]),
            modality=DICOM_CODES.get(modality, modality),
            split=str(entry["split"]),
            image=manifest.parent / entry["image"],
            label=manifest.parent / entry["label"],
            labels={int(value): str(name) for value, name in entry["labels"].items()},
        )
    except KeyError as error:
        raise VolumeError(f"Entry {number} of the manifest '{manifest.name}' lacks the field {error}.") from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise VolumeError(
            f"Entry {number} of the manifest '{manifest.name}' is not a case; its fields are dataset, case, modality, "
            "split, image, label, and labels as an object of whole numbers and names."
        ) from error
