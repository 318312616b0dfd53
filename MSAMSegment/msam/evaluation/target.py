"""The objects of a labelled scan that a model is to find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from msam.errors import VolumeError
from msam.manifest import Case
from msam.volume import Volume


@dataclass(frozen=True, eq=False)
class Target:
    """One object: the voxels of a scan that carry one label value.

    Attributes:
        case: the labelled scan.
        name: what the object is.
        volume: the scan's voxels.
        truth: (K, J, I), not empty.
    """

    case: Case
    name: str
    volume: Volume
    truth: npt.NDArray[np.bool_]

    @property
    def description(self) -> str:
        """Data set, case and object, for a line of a report."""
        return f"{self.case.dataset} {self.case.case} {self.name}"


def read_targets(case: Case) -> list[Target]:
    """One target per label value that occurs in a scan.

    Raises:
        VolumeError: the scan or its label cannot be read, they do not fit, or no label value occurs.
    """
    volume, values = case.read()
    masks = [(name, values == value) for value, name in case.labels.items()]
    targets = [Target(case, name, volume, mask) for name, mask in masks if mask.any()]
    if not targets:
        raise VolumeError(f"None of the values {', '.join(map(str, case.labels))} occurs in {case.label.name}.")
    return targets
