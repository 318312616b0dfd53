"""What training minimises: Dice and cross-entropy of the mask, and the error of the predicted quality."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

QUALITY_WEIGHT = 0.5


def step_loss(logits: Tensor, quality: Tensor, truth: Tensor) -> Tensor:
    """The loss of one decoding step.

    Args:
        logits: `(B, 1, S, S, S)` at the resolution of the truth.
        quality: `(B, 1)`, the predicted intersection over union.
        truth: `(B, 1, S, S, S)`, 0 or 1.

    Returns:
        A scalar.
    """
    probability = logits.sigmoid()
    axes = (1, 2, 3, 4)
    overlap = (probability * truth).sum(axes)
    dice = 1 - (2 * overlap + 1) / (probability.sum(axes) + truth.sum(axes) + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(axes)
    # Small objects fill little of a region: their cross-entropy counts for as much as a large one's.
    share = truth.mean(axes).clamp(1e-3, 1)
    entropy = entropy / share.sqrt()
    with torch.no_grad():
        mask, object_ = logits > 0, truth > 0.5
        union = (mask | object_).sum(axes).clamp(min=1)
        achieved = (mask & object_).sum(axes) / union
    quality_error = F.mse_loss(quality[:, 0], achieved)
    return dice.mean() + entropy.mean() + QUALITY_WEIGHT * quality_error


def dice_score(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice of the thresholded mask, `(B,)`."""
    mask, object_ = logits > 0, truth > 0.5
    axes = (1, 2, 3, 4)
    return 2 * (mask & object_).sum(axes) / (mask.sum(axes) + object_.sum(axes)).clamp(min=1)
