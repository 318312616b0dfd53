"""Labelled scans: what `manifest.json` lists, read into memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from msam.manifest import read_manifest
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
        VolumeError: the manifest or a scan cannot be read, or a scan and its label lie on different grids.
    """
    targets = []
    for case in read_manifest(manifest, split):
        volume, values = case.read()
        label = values.astype(np.uint8)
        for value, name in case.labels.items():
            if np.count_nonzero(label == value) >= least_voxels:
                targets.append(Target(case.dataset, case.case, name, volume, label, (value,)))
    return targets
