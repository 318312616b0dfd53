"""`dataset.json` of the Medical Segmentation Decathlon and of nnU-Net: what the labels and the channels are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msam.errors import VolumeError

# Words in the name of a channel that tell the modality, and its DICOM code.
WORDS = {"CT": "CT", "PET": "PT", "MR": "MR", "T1": "MR", "T2": "MR", "FLAIR": "MR", "ADC": "MR", "DWI": "MR"}
# What nnU-Net calls voxels that nobody has looked at.
IGNORED = "ignore"


def read_dataset_json(path: Path) -> dict[str, Any]:
    """The content of a `dataset.json`.

    Raises:
        VolumeError: it cannot be read, or is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VolumeError(f"'{path}' cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise VolumeError(f"'{path}' is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise VolumeError(f"'{path}' is not a JSON object with 'labels', as nnU-Net and the Decathlon write it.")
    return content


def labels_of(content: dict[str, Any], path: Path) -> dict[int, str]:
    """Label value to its meaning, the background left out.

    The Decathlon writes `{"0": "background", "1": "tumour"}`, nnU-Net `{"background": 0, "tumour": 1}`. A region of
    nnU-Net, `{"whole tumour": [1, 2]}`, stands for its single values: labels that touch are joined by our own rule.

    Raises:
        VolumeError: there are no labels, or they are of neither kind.
    """
    entries = content.get("labels")
    try:
        if not isinstance(entries, dict):
            raise TypeError
        named = _by_value(entries)
    except (TypeError, ValueError) as error:
        raise VolumeError(
            f'The labels in \'{path}\' are of no known kind; write "labels": {{"background": 0, "tumour": 1}}.'
        ) from error
    found = {value: name for value, name in named.items() if value > 0 and name.lower() != IGNORED}
    if not found:
        raise VolumeError(f"'{path}' names no label but the background.")
    return found


def modality_of(content: dict[str, Any], channel: int) -> str:
    """The DICOM code of a channel's modality; empty where its name does not tell."""
    channels = content.get("channel_names") or content.get("modality") or {}
    name = str(channels.get(str(channel), "")).upper() if isinstance(channels, dict) else ""
    return next((code for word, code in WORDS.items() if word in name), "")


def _by_value(entries: dict[str, Any]) -> dict[int, str]:
    if all(key.isdigit() for key in entries):
        return {int(value): str(name) for value, name in entries.items()}
    named = {int(value): name for name, value in entries.items() if not isinstance(value, list)}
    regions = [(name, values) for name, values in entries.items() if isinstance(values, list)]
    for name, values in sorted(regions, key=lambda region: len(region[1])):
        for value in values:
            named.setdefault(int(value), name if len(values) == 1 else f"label {value}")
    return named
