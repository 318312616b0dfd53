"""Labelled scans: what `manifest.json` lists, read into memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.errors import VolumeError
from msam.volume import Volume


@dataclass(frozen=True)
class Target:
    """One object to segment: the voxels of a scan that carry one of `labels`."""

    dataset: str
    case: str
    name: str
    volume: Volume
    label_kji: npt.NDArray[np.uint8]
    labels: tuple[int, ...]

    @cached_property
    def voxels_kji(self) -> npt.NDArray[np.int32]:
        """(N, 3) indices k, j, i of the object's voxels."""
        return np.argwhere(self.mask_kji).astype(np.int32)

    @property
    def mask_kji(self) -> npt.NDArray[np.bool_]:
        """(K, J, I), made anew at each call: labels are kept once per scan, not once per target."""
        return np.isin(self.label_kji, self.labels)

    @cached_property
    def extent_mm(self) -> float:
        """The longest side of the object's bounding box."""
        sides = (np.ptp(self.voxels_kji, axis=0) + 1)[::-1] * self.volume.spacing
        return float(sides.max())


def load_targets(manifest: Path, split: str, *, least_voxels: int = 30) -> list[Target]:
    """Every labelled object of a split, one per label of each scan.

    Args:
        manifest: a `manifest.json`, whose paths are relative to its folder.
        split: "train", "val" or "example".
        least_voxels: objects with fewer voxels are left out: specks, where a click says all there is to say.

    Raises:
        VolumeError: a scan and its label differ in shape.
    """
    entries: list[dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))
    targets = []
    for entry in entries:
        if entry["split"] != split:
            continue
        scan = Volume.read(manifest.parent / entry["image"])
        volume = Volume(scan.voxels, scan.ijk_to_ras, "CT" if entry["modality"] == "CT" else "OT")
        label = Volume.read(manifest.parent / entry["label"]).voxels.astype(np.uint8)
        if label.shape != volume.voxels.shape:
            raise VolumeError(f"{entry['image']} and its label differ in shape: {volume.voxels.shape}, {label.shape}.")
        for value, name in entry["labels"].items():
            if np.count_nonzero(label == int(value)) >= least_voxels:
                targets.append(Target(entry["dataset"], entry["case"], name, volume, label, (int(value),)))
    return targets
