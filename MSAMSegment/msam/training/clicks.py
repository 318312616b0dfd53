"""Simulated clicks, where a user would correct a mask, and masks that are only about right."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FILLER = -1


def next_click(logits: Tensor, truth: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """A click in the error region of each example, the more likely the deeper it lies.

    Args:
        logits: `(B, 1, S, S, S)` at the resolution of the truth.
        truth: `(B, 1, S, S, S)`, 0 or 1.
        draws: `(B,)` float64 in [0, 1) on the CPU; they say which voxel it is.

    Returns:
        Points `(B, 1, 3)` in ROI voxels and labels `(B, 1)`: 1 where the mask missed the object, 0 where it left it,
        -1 (no click) where there is no error.
    """
    wrong = ((logits > 0) != (truth > 0.5)).float()
    # The mean of the error around a voxel is large in the thick of it: a cheap stand-in for the distance to its border.
    mean = wrong
    for kernel, padding in (((7, 1, 1), (3, 0, 0)), ((1, 7, 1), (0, 3, 0)), ((1, 1, 7), (0, 0, 3))):
        mean = F.avg_pool3d(mean, kernel, stride=1, padding=padding)
    depth = wrong * mean**3
    size = truth.shape[-1]
    points, labels = [], []
    for weight, object_, draw in zip(depth.flatten(1), truth.flatten(1), draws.to(truth.device), strict=True):
        # A cumulative sum and one random number: torch.multinomial takes no more than 2^24 weights, and is slower.
        total = weight.double().cumsum(0)
        if not total[-1] > 0:
            points.append(torch.zeros(3))
            labels.append(FILLER)
            continue
        index = int(torch.searchsorted(total, draw * total[-1], right=True).clamp(max=len(total) - 1))
        points.append(torch.tensor([index // size**2, index // size % size, index % size], dtype=torch.float32))
        labels.append(int(object_[index] > 0.5))
    where, kinds = torch.stack(points)[:, None], torch.tensor(labels, dtype=torch.float32)[:, None]
    return where.to(truth.device), kinds.to(truth.device)


def rough_mask(truth: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Logits `(B, 1, m, m, m)` of a mask that is about right: what a coarser look or a hand-drawn mask gives.

    Args:
        truth: `(B, 1, S, S, S)`, 0 or 1.
        size: m.
        generator: source of randomness.
    """
    shifts = torch.randint(-4, 5, (3,), generator=generator).tolist()
    moved = torch.roll(truth, shifts, dims=(2, 3, 4))
    radius = 2 * int(torch.randint(1, 5, (), generator=generator)) + 1
    blurred = F.avg_pool3d(F.interpolate(moved, size=(size,) * 3, mode="area"), radius, 1, radius // 2)
    level = float(torch.empty(()).uniform_(0.25, 0.75, generator=generator))
    return ((blurred - level) * 12).clamp(-6, 6)
