"""Simulated clicks: where a user would correct a mask."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FILLER = -1


def next_click(logits: Tensor, truth: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A click in the error region of each example, the more likely the deeper it lies.

    Args:
        logits: `(B, 1, S, S, S)` at the resolution of the truth.
        truth: `(B, 1, S, S, S)`, 0 or 1.
        generator: source of randomness.

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
    points, labels = [], []
    for weight, object_ in zip(depth.flatten(1), truth.flatten(1), strict=True):
        if not weight.any():
            points.append(torch.zeros(3))
            labels.append(FILLER)
            continue
        # A cumulative sum and one random number: torch.multinomial takes no more than 2^24 weights, and is slower.
        total = weight.double().cumsum(0)
        drawn = torch.rand((), generator=generator, dtype=torch.float64) * total[-1]
        index = int(torch.searchsorted(total, drawn).clamp(max=len(total) - 1))
        size = truth.shape[-1]
        points.append(torch.tensor([index // size**2, index // size % size, index % size], dtype=torch.float32))
        labels.append(int(object_[index] > 0.5))
    return torch.stack(points)[:, None], torch.tensor(labels, dtype=torch.float32)[:, None]
