"""Objects to learn from that no scan has: procedural lesions in cut-outs of real scans and in made-up tissue.

The labelled objects are large; what is small and round is to be known at every spacing as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from msam.config import COMPACT
from msam.normalisation import fill_value
from msam.region import Region, cut
from msam.training.cases import Target
from msam.training.lesions import RADII, background, paint_lesion
from msam.volume import Volume

DATASET = "painted"


@dataclass(frozen=True)
class Setting:
    """Cut-outs of one kind: voxels along each side, the range of their spacing in mm, radii as shares of a side."""

    size: int
    spacings_mm: tuple[float, float]
    radii: tuple[float, float]


NEAR = Setting(160, (0.5, 1.5), RADII)
# A nodule in a whole chest: the coarse looks at it have to be known for what they are.
FAR = Setting(224, (1.2, 2.0), (0.01, 0.04))
# The share that lies in made-up tissue, dark as a lung with vessels in it.
MADE_UP = 0.4


def painted_targets(targets: Sequence[Target], count: int, seed: int, setting: Setting = NEAR) -> list[Target]:
    """So many lesions, each in a volume of its own, the same ones for the same seed.

    Args:
        targets: whose scans are cut out of.
        count: of lesions.
        seed: of the random numbers.
        setting: how large the cut-outs and their lesions are.
    """
    random, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    made: list[Target] = []
    while len(made) < count:
        target = targets[int(random.integers(len(targets)))]
        spacing = float(np.exp(random.uniform(*np.log(setting.spacings_mm))))
        if random.random() < MADE_UP:
            roi = background(setting.size, chance)
        else:
            roi = _cut_out(target, setting.size, spacing, random, chance)
        image, mask, _ = paint_lesion(roi, chance, setting.radii)
        label = mask.numpy().transpose(2, 1, 0).astype(np.uint8)
        voxels = image.numpy().transpose(2, 1, 0).astype(np.float32)
        volume = Volume(np.ascontiguousarray(voxels), np.diag([spacing, spacing, spacing, 1.0]), "OT")
        made.append(Target(DATASET, f"{DATASET}-{len(made)}", "lesion", volume, label, (1,)))
    return made


def _cut_out(
    target: Target, size: int, spacing: float, random: np.random.Generator, chance: torch.Generator
) -> torch.Tensor:
    """A cube of a scan around any of its voxels, (size, size, size) in the order R, A, S."""
    i, j, k = (float(random.integers(length)) for length in target.volume.shape_ijk)
    region = Region(size, (i, j, k), spacing)
    roi = torch.from_numpy(cut(target.volume, region, fill_value(target.volume, COMPACT)))
    # Where the scan ends there is nothing but its fill value, and a volume must not be all alike.
    return roi + 0.01 * float(roi.std() + 1) * torch.randn(roi.shape, generator=chance)
