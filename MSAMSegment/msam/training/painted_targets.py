"""Objects to learn from that no scan has: procedural lesions in cut-outs of real scans and in made-up tissue.

The labelled objects are large; what is small and round is to be known at every spacing as well.
"""

from __future__ import annotations

import numpy as np
import torch

from msam.config import COMPACT
from msam.normalisation import fill_value
from msam.region import Region, cut
from msam.training.cases import Target
from msam.training.lesions import background, paint_lesion
from msam.volume import Volume

DATASET = "painted"
SIZE = 160  # voxels along each side of a cut-out
SPACINGS_MM = (0.5, 1.5)
# The share that lies in made-up tissue, dark as a lung with vessels in it.
MADE_UP = 0.4


def painted_targets(targets: list[Target], count: int, seed: int) -> list[Target]:
    """So many lesions, each in a volume of its own, the same ones for the same seed.

    Args:
        targets: whose scans are cut out of.
        count: of lesions.
        seed: of the random numbers.
    """
    random, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    made: list[Target] = []
    while len(made) < count:
        target = targets[int(random.integers(len(targets)))]
        spacing = float(np.exp(random.uniform(*np.log(SPACINGS_MM))))
        roi = background(SIZE, chance) if random.random() < MADE_UP else _cut_out(target, spacing, random, chance)
        image, mask, _ = paint_lesion(roi, chance)
        label = mask.numpy().transpose(2, 1, 0).astype(np.uint8)
        voxels = image.numpy().transpose(2, 1, 0).astype(np.float32)
        volume = Volume(np.ascontiguousarray(voxels), np.diag([spacing, spacing, spacing, 1.0]), "OT")
        made.append(Target(DATASET, f"{DATASET}-{len(made)}", "lesion", volume, label, (1,)))
    return made


def _cut_out(target: Target, spacing: float, random: np.random.Generator, chance: torch.Generator) -> torch.Tensor:
    """A cube of a scan around any of its voxels, (SIZE, SIZE, SIZE) in the order R, A, S."""
    i, j, k = (float(random.integers(length)) for length in target.volume.shape_ijk)
    region = Region(SIZE, (i, j, k), spacing)
    roi = torch.from_numpy(cut(target.volume, region, fill_value(target.volume, COMPACT)))
    # Where the scan ends there is nothing but its fill value, and a volume must not be all alike.
    return roi + 0.01 * float(roi.std() + 1) * torch.randn(roi.shape, generator=chance)
