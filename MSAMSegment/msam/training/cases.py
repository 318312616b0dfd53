"""The objects of labelled scans, ready to be drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from msam.errors import VolumeError
from msam.evaluation.deepest import deepest_voxel
from msam.manifest import Case, read_manifest
from msam.session.boxes import tight_box
from msam.training.shelf import Shelf
from msam.training.unions import touching
from msam.volume import Volume

LARGEST_LABEL = 255
# Objects with fewer voxels are left out: specks, where a click says all there is to say.
LEAST_VOXELS = 30
# An object's voxels are listed for clicks to be drawn from; of a liver's ten million, every so many-th will do.
MOST_LISTED = 1_000_000


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
        """(N, 3) indices k, j, i of the object's voxels; of a very large one, a part that is spread over all of it."""
        indices = np.flatnonzero(self.mask_kji)
        listed = indices[:: -(-len(indices) // MOST_LISTED)]
        return np.stack(np.unravel_index(listed, self.label_kji.shape), axis=-1).astype(np.int32)

    @property
    def mask_kji(self) -> npt.NDArray[np.bool_]:
        """(K, J, I), made anew at each call: labels are kept once per scan, not once per target."""
        return np.isin(self.label_kji, self.labels)

    @cached_property
    def deepest_kji(self) -> npt.NDArray[np.int32]:
        """(3,) the voxel k, j, i that is farthest from the object's border."""
        return np.array(deepest_voxel(self.mask_kji, self.volume.spacing)[::-1], dtype=np.int32)

    @cached_property
    def extent_mm(self) -> float:
        """The longest side of the object's bounding box."""
        sides = np.ptp(tight_box(self.mask_kji), axis=1) * self.volume.spacing
        return float(sides.max())


def load_targets(manifest: Path, split: str) -> list[Target]:
    """Every labelled object of a split of a `manifest.json`, one per label of each scan.

    Raises:
        VolumeError: the manifest or a scan cannot be read, or a scan and its label lie on different grids.
    """
    return targets_of(read_manifest(manifest, split))


def targets_of(cases: Iterable[Case], *, unions: bool = False, shelf: Shelf | None = None) -> list[Target]:
    """Every object of labelled scans that is no speck.

    Args:
        cases: the scans.
        unions: whether labels that touch also make one object together (`msam.training.unions` has the rule).
        shelf: where scans and labels are kept; None for memory.

    Raises:
        VolumeError: a scan or its label cannot be read, they lie on different grids, or a label value exceeds 255.
    """
    targets = []
    for case in cases:
        volume, values = case.read()
        if values.max() > LARGEST_LABEL:
            raise VolumeError(f"{case.label.name} holds the value {values.max()}; labels are numbers from 0 to 255.")
        label = values.astype(np.uint8)
        objects: list[tuple[str, tuple[int, ...]]] = [(name, (value,)) for value, name in case.labels.items()]
        if unions:
            objects += [(" + ".join(case.labels[v] for v in parts), parts) for parts in touching(label, case.labels)]
        counts = np.bincount(label.ravel(), minlength=LARGEST_LABEL + 1)
        if shelf is not None:
            volume, label = Volume(shelf.keep(volume.voxels), volume.ijk_to_ras, volume.modality), shelf.keep(label)
        targets += [
            Target(case.dataset, case.case, name, volume, label, parts)
            for name, parts in objects
            if sum(int(counts[value]) for value in parts) >= LEAST_VOXELS
        ]
    return targets
