"""What the quality head sees of the mask it judges, in configurations that let it (`ModelConfig.quality_sees_mask`).

The published head sees one token, which knows little of how the mask came out; trained on few scans it predicts no more
than the mean. What lies inside the mask and what lies around it tells a mask that follows an edge from one that does
not, and a mask that its region cuts off from one that ends.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Voxels (of the logits' grid) around a mask that count as its surroundings.
RIM = 2
STATISTICS = 6


def summary_width(channels: int) -> int:
    """Length of a summary of features with so many channels."""
    return 2 * channels + STATISTICS


def summarise(logits: Tensor, features: Tensor) -> Tensor:
    """A mask in numbers.

    Args:
        logits: `(B, 1, m, m, m)`.
        features: what the logits were made from, `(B, C, m, m, m)`.

    Returns:
        `(B, 2 C + 6)`: the mean features inside and around the mask; the logarithm of the share of the region that it
        fills; the overlap with the object that its probabilities expect; how much of a side of the region it covers,
        and whether it reaches one at all; how thin it is; and how sure it is of its inside.
    """
    probability = logits.float().sigmoid()
    around = F.max_pool3d(probability, 2 * RIM + 1, stride=1, padding=RIM) - probability
    inside = _mean(features, probability)
    outside = _mean(features, around)
    mask = (logits > 0).float()
    axes = (1, 2, 3, 4)
    size = probability.sum(axes)
    expected = (probability * mask).sum(axes) / (mask + probability * (1 - mask)).sum(axes).clamp(min=1e-6)
    sides = torch.stack([probability.select(axis, end) for axis in (2, 3, 4) for end in (0, -1)]).flatten(2)
    statistics = (
        (size / probability[0].numel() + 1e-5).log(),
        expected,
        sides.mean(2).amax(0),
        sides.amax((0, 2)),
        around.sum(axes) / (size + 1),
        (probability * mask).sum(axes) / (mask.sum(axes) + 1),
    )
    return torch.cat((inside, outside, torch.stack(statistics, dim=1)), dim=1)


def _mean(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted means over space, `(B, C)`."""
    total = weights.sum((2, 3, 4)) + 1e-3
    return torch.einsum("bcxyz,bxyz->bc", features.float(), weights[:, 0]) / total
