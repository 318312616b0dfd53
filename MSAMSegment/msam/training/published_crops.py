"""Training examples as published: a region around a random voxel of the object, flipped at random."""

from __future__ import annotations

import numpy as np
import torch

from msam.config import ModelConfig
from msam.normalisation import fill_value, normalise
from msam.region import Region, cut
from msam.training.cases import Target
from msam.training.crops import Example
from msam.volume import Volume


class PublishedExampleMaker:
    """Draws examples from targets for a network that is normalised to its foreground (parity fact 8).

    Args:
        targets: of the training split.
        config: of the network to be trained.
        weights: chance of each data set, by name.
    """

    def __init__(self, targets: list[Target], config: ModelConfig, weights: dict[str, float]) -> None:
        self.config = config
        self.pools = [[target for target in targets if target.dataset == name] for name in weights]
        self.weights = torch.tensor(list(weights.values()))

    def draw(self, seed: int) -> Example:
        """The example of a seed."""
        random = torch.Generator().manual_seed(seed)
        pool = self.pools[int(torch.multinomial(self.weights, 1, generator=random))]
        target = pool[int(torch.randint(len(pool), (), generator=random))]
        spacings = self.config.spacings or (None,)
        spacing = spacings[int(torch.randint(len(spacings), (), generator=random))]
        voxels = target.voxels_kji
        click = voxels[int(torch.randint(len(voxels), (), generator=random))][::-1].astype(np.float64)

        volume, size = target.volume, self.config.roi_size
        region = Region.around(click, size, spacing)
        image = torch.from_numpy(normalise(cut(volume, region, fill_value(volume, self.config)), self.config))[0]
        mask = Volume(target.mask_kji.astype(np.uint8), volume.ijk_to_ras, "OT")
        truth = torch.from_numpy(cut(mask, region) > 0.5).float()[None]
        position = torch.from_numpy(region.to_roi(volume, click[None])[0]).float()
        for axis in range(3):
            if float(torch.rand((), generator=random)) < 0.5:
                image, truth = image.flip(axis + 1), truth.flip(axis + 1)
                position[axis] = size - 1 - position[axis]
        return Example(image.contiguous(), truth.contiguous(), position)
