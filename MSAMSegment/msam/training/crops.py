"""Training examples: a region of interest around a click, its truth, and random changes to both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from msam.config import ModelConfig
from msam.normalisation import fill_value
from msam.region import Region, cut
from msam.training.cases import Target
from msam.training.lesions import background, paint_lesion
from msam.volume import Volume

MARGIN = 1.3  # a rotated region needs this much more than its side
# Chance of a mirror image along R, A and S, and of axes in another order. Left and right are alike; what lies in front
# and what above tells where one part of an organ ends and the next one begins.
MIRRORED, PERMUTED = (0.5, 0.03, 0.03), 0.01
# Chance of a first click on the deepest voxel, and of one near the middle; the others lie anywhere in the object.
DEEPEST, NEAR_MIDDLE = 0.5, 0.3
PET = "PT"
LEAST_VOXELS = 12  # of the region: anything smaller cannot be told from noise


@dataclass(frozen=True)
class Example:
    """One region: normalised image and truth `(1, S, S, S)`, and the first click `(3,)` in ROI voxels."""

    image: Tensor
    truth: Tensor
    click: Tensor


class ExampleMaker:
    """Draws examples from targets, for a network that is normalised to the clicked tissue.

    Args:
        targets: of the training split.
        config: of the network to be trained.
        weights: chance of each data set, by name.
        lesions: chance of a procedural lesion in place of the labelled object.
        made_up: chance of a procedural lesion in made-up tissue.
    """

    def __init__(
        self, targets: list[Target], config: ModelConfig, weights: dict[str, float], lesions: float, made_up: float
    ) -> None:
        self.config = config
        self.lesions = lesions
        self.made_up = made_up
        self.random = torch.Generator()
        self.by_dataset = {name: [t for t in targets if t.dataset == name] for name in weights}
        self.by_dataset = {name: found for name, found in self.by_dataset.items() if found}
        self.weights = torch.tensor([weights[name] for name in self.by_dataset])

    def draw(self, seed: int) -> Example:
        """The example of a seed."""
        self.random.manual_seed(seed)
        while True:
            example = self._draw()
            if example.truth.sum() >= LEAST_VOXELS:
                return example

    def _draw(self) -> Example:
        if self._uniform() < self.made_up:
            return self._painted(background(self._padded_size, self.random))
        names = list(self.by_dataset)
        pool = self.by_dataset[names[int(torch.multinomial(self.weights, 1, generator=self.random))]]
        target = pool[self._integer(len(pool))]
        # Smooth uptake is full of spots that a painted lesion would look like.
        lesion = self._uniform() < self.lesions and target.volume.modality != PET
        click = self._click(target)
        volume = target.volume
        spacing = self._spacing(target, lesion)
        shift = 0.0 if self._uniform() < 0.6 else 0.2
        size = self.config.roi_size
        away = torch.empty(3).uniform_(-1, 1, generator=self.random).numpy() * shift * size * spacing / volume.spacing
        i, j, k = (float(x) for x in click + away)
        region = Region(self._padded_size, (i, j, k), spacing)
        fill = fill_value(volume, self.config)
        raw = torch.from_numpy(cut(volume, region, fill))
        inside = torch.from_numpy(region.inside(volume))
        raw, inside = self._crop_field_of_view(raw, inside, fill)
        if lesion:
            return self._painted(raw)
        mask = Volume(target.mask_kji.astype(np.uint8), volume.ijk_to_ras, "OT")
        truth = torch.from_numpy(cut(mask, region))
        position = torch.from_numpy(region.to_roi(volume, click[None])[0]).float()
        return self._finish(raw, truth, position, inside)

    @property
    def _padded_size(self) -> int:
        return int(self.config.roi_size * MARGIN) // 2 * 2

    def _click(self, target: Target) -> npt.NDArray[np.float64]:
        """A voxel (i, j, k) of the object: the deepest, one near the middle, or any, as people click."""
        kind = self._uniform()
        if kind < DEEPEST:
            return np.asarray(target.deepest_kji[::-1], dtype=np.float64)
        voxels = target.voxels_kji
        candidates = voxels[[self._integer(len(voxels)) for _ in range(24)]]
        if kind < DEEPEST + NEAR_MIDDLE:
            centre = voxels[[self._integer(len(voxels)) for _ in range(200)]].mean(axis=0)
            order = np.argsort((((candidates - centre) * target.volume.spacing[::-1]) ** 2).sum(axis=1))
            candidates = candidates[order[: 1 + self._integer(8)]]
        return np.asarray(candidates[-1][::-1], dtype=np.float64)

    def _spacing(self, target: Target, lesion: bool) -> float:
        """mm a voxel: such that the object fills about half the region, give or take a factor of two.

        One example in seven is off by up to four, as the first looks around a click are: a mask that is known to be cut
        off by its region, or an object of a few voxels, is what the choice among those looks goes by.
        """
        if lesion:
            return math.exp(self._between(math.log(0.6), math.log(5.0)))
        ideal = target.extent_mm / (0.5 * self.config.roi_size)
        off = self._between(-1.2, 1.3) if self._uniform() < 0.15 else self._between(-0.7, 0.8)
        return min(max(ideal * math.exp(off), 0.5), 8.0)

    def _crop_field_of_view(self, raw: Tensor, inside: Tensor, fill: float) -> tuple[Tensor, Tensor]:
        """Hides a random border. The scans were cropped around their tumours, and that border must not tell where."""
        if self._uniform() < 0.75:
            return raw, inside
        size, visible = len(raw), torch.zeros_like(inside)
        low = [int(size * (0.5 - self._between(0.25, 0.5))) for _ in range(3)]
        high = [int(size * (0.5 + self._between(0.25, 0.5))) + 1 for _ in range(3)]
        visible[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = True
        visible &= inside
        return torch.where(visible, raw, fill), visible

    def _painted(self, raw: Tensor) -> Example:
        image, mask, centre = paint_lesion(raw, self.random)
        voxels = mask.nonzero()
        near = voxels[torch.randint(len(voxels), (12,), generator=self.random)].float()
        click = near[(near - centre).norm(dim=1).argsort()[self._integer(4)]]
        return self._finish(image, mask.float(), click, torch.ones_like(mask))

    def _finish(self, raw: Tensor, truth: Tensor, click: Tensor, inside: Tensor) -> Example:
        """Rotates, scales, flips, normalises and changes the intensities."""
        size, padded = self.config.roi_size, self._padded_size
        reference = self._reference(raw, click)
        deviation = float(raw[inside].std()) if int(inside.sum()) > 1 else 0.0
        image = (raw - reference) / (deviation or 1.0)

        matrix = self._rotation() * math.exp(self._between(-0.12, 0.12))
        for axis, chance in enumerate(MIRRORED):
            if self._uniform() < chance:
                matrix[axis] = -matrix[axis]
        if self._uniform() < PERMUTED:
            matrix = matrix[torch.randperm(3, generator=self.random)]
        # Positions in the padded region of every voxel of the final one, about their common centre voxel.
        axis_positions = torch.arange(size, dtype=torch.float32) - size // 2
        grid = torch.stack(torch.meshgrid(axis_positions, axis_positions, axis_positions, indexing="ij"), dim=-1)
        source = grid @ matrix + padded // 2
        sample = ((2 * source + 1) / padded - 1).flip(-1)[None]  # grid_sample counts x, y, z from the last axis
        both = torch.stack((image, truth))[None]
        image, truth = F.grid_sample(both, sample, align_corners=False, padding_mode="border")[0]
        click = (click - padded // 2) @ torch.linalg.inv(matrix) + size // 2
        truth = (truth > 0.5).float()
        return Example(self._intensities(image)[None], truth[None], click.clamp(0, size - 1))

    def _reference(self, raw: Tensor, click: Tensor) -> float:
        """The clicked tissue: a median around the click, as at inference."""
        i, j, k = (int(min(max(round(float(x)), 1), len(raw) - 2)) for x in click)
        return float(raw[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2].median())

    def _rotation(self) -> Tensor:
        angles = torch.empty(3).uniform_(-0.17, 0.17, generator=self.random)
        skew = torch.zeros(3, 3)
        skew[0, 1], skew[0, 2], skew[1, 2] = angles
        return torch.matrix_exp(skew - skew.T)

    def _intensities(self, image: Tensor) -> Tensor:
        image = image * math.exp(self._between(-0.35, 0.35)) + self._between(-0.1, 0.1)
        if self._uniform() < 0.03:
            image = -image
        if self._uniform() < 0.15:  # thick slices
            kernel, axis = 2 * self._integer(2) + 3, self._integer(3)
            shape, padding = [1, 1, 1], [0, 0, 0]
            shape[axis], padding[axis] = kernel, kernel // 2
            image = F.avg_pool3d(image[None, None], shape, stride=1, padding=padding)[0, 0]
        if self._uniform() < 0.3:
            image = image + self._between(0.0, 0.25) * torch.randn(image.shape, generator=self.random)
        return image

    def _uniform(self) -> float:
        return float(torch.rand((), generator=self.random))

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * self._uniform()

    def _integer(self, below: int) -> int:
        return int(torch.randint(below, (), generator=self.random))
