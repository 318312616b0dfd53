"""Labelled scans in the folders that people have: ours, Decathlon and nnU-Net, M-SAM's, or a plain pair of folders.

| what the folder holds                                     | what it is                                      |
|-----------------------------------------------------------|-------------------------------------------------|
| `manifest.json`                                           | our list, with its own split where it has one   |
| `dataset.json`, `imagesTr`, `labelsTr`                    | Medical Segmentation Decathlon, nnU-Net         |
| `imagesTr`, `labelsTr`                                    | one data set as M-SAM has it, such as `ct_lung` |
| `images`, `labels`                                        | a plain pair of folders                         |
| such folders, at most two levels down                     | several data sets                               |

A label and its scan have the same name, or the scan has `_0000` after it, the number of its channel. Scans whose names
agree up to a double underscore, such as `P7__flair` and `P7__t1`, show the same patient.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from msam.errors import VolumeError
from msam.io.readers import ONE_FILE_ENDINGS
from msam.manifest import MANIFEST, SEQUENCE_MARK, Case, read_manifest
from msam.training.dataset_json import labels_of, modality_of, read_dataset_json
from msam.training.splitting import split_cases
from msam.volume import Volume

DESCRIPTION = "dataset.json"
PAIRS = (("imagesTr", "labelsTr"), ("images", "labels"))
# M-SAM's folders begin with the modality: `ct_lung`, `mr_brain`.
PREFIXES = {"ct": "CT", "mr": "MR", "mri": "MR", "pet": "PT"}
DEPTH = 2


def find_cases(path: Path, channel: int = 0) -> tuple[list[Case], list[Case]]:
    """The labelled scans for training and those for validation.

    Args:
        path: a folder in one of the layouts above, or a `manifest.json`.
        channel: which channel of scans that have several, from 0.

    Returns:
        Training and validation. The split is the manifest's own where it has one; else a tenth of the patients of each
        data set, at least one, the same at every call.

    Raises:
        VolumeError: there are no labelled scans, or too few to keep one apart for validation.
    """
    manifest = path / MANIFEST if path.is_dir() else path
    if manifest.is_file():
        training = read_manifest(manifest, "train")
        try:
            return training, read_manifest(manifest, "val")
        except VolumeError:  # the manifest itself has just been read without complaint: it has no such split
            return split_cases(training)
    if not path.is_dir():
        raise VolumeError(f"There is no folder and no manifest at '{path}'; check the path.")
    cases = [case for folder in _datasets_in(path, DEPTH) for case in _cases_in(folder, channel)]
    if not cases:
        raise VolumeError(
            f"'{path}' holds no labelled scans in a layout that is known here: a manifest.json, imagesTr and labelsTr "
            "(nnU-Net, Medical Segmentation Decathlon, M-SAM), or images and labels with files of the same names."
        )
    return split_cases(cases)


def _datasets_in(folder: Path, depth: int) -> list[Path]:
    if _pair(folder) is not None:
        return [folder]
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [found for path in inner for found in _datasets_in(path, depth - 1)] if depth else []


def _pair(folder: Path) -> tuple[Path, Path] | None:
    return next(
        ((folder / scans, folder / labels) for scans, labels in PAIRS if (folder / labels).is_dir()),
        None,
    )


def _cases_in(folder: Path, channel: int) -> list[Case]:
    pair = _pair(folder)
    if pair is None:
        return []
    scans, labels = pair
    description = folder / DESCRIPTION
    content = read_dataset_json(description) if description.is_file() else None
    modality = PREFIXES.get(folder.name.partition("_")[0].lower(), "")
    if content is not None:
        modality = modality_of(content, channel) or modality
    cases = []
    for label in sorted(labels.iterdir()):
        ending = next((end for end in ONE_FILE_ENDINGS if label.name.lower().endswith(end)), None)
        if ending is None or label.name.startswith("."):
            continue
        name = label.name[: -len(ending)]
        image, frame = _scan_of(label, name, scans, channel)
        cases.append(
            Case(
                dataset=folder.resolve().name,
                case=name,
                patient=name.partition(SEQUENCE_MARK)[0],
                modality=modality,
                split="",
                image=image,
                label=label,
                labels=labels_of(content, description) if content is not None else {},
                frame=frame,
            )
        )
    return cases if content is not None else _with_values(cases)


def _scan_of(label: Path, name: str, scans: Path, channel: int) -> tuple[Path, int]:
    """The scan of a label and which of its frames: channels are files of their own, or frames of one file."""
    for stem, frame in ((f"{name}_{channel:04d}", 0), (name, channel)):
        for ending in ONE_FILE_ENDINGS:
            path = scans / f"{stem}{ending}"
            if path.is_file():
                return path, frame
    raise VolumeError(
        f"The label '{label.name}' has no scan in '{scans}'; it must be called like the label, or '{name}_"
        f"{channel:04d}' where scans have several channels (--channel)."
    )


def _with_values(cases: list[Case]) -> list[Case]:
    """The cases with every value above zero that occurs in any of their labels, which nobody has named."""
    values = {int(value) for case in cases for value in np.unique(Volume.read(case.label).voxels) if value > 0}
    labels = {value: "object" if len(values) == 1 else f"label {value}" for value in sorted(values)}
    return [dataclasses.replace(case, labels=labels) for case in cases]
