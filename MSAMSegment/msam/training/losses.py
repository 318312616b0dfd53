"""What training minimises: Dice and cross-entropy of the mask, and the error of the predicted quality."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

QUALITY_WEIGHT = 2.0
AXES = (1, 2, 3, 4)


def step_loss(logits: Tensor, quality: Tensor, truth: Tensor, small_objects: bool = True) -> Tensor:
    """The loss of one decoding step.

    The published training leaves the quality head alone. It is trained here all the same: sessions show its figure and
    choose by it, and a decoder that changes underneath would leave it behind.

    Args:
        logits: `(B, 1, S, S, S)` at the resolution of the truth.
        quality: `(B, 1)`, the predicted intersection over union.
        truth: `(B, 1, S, S, S)`, 0 or 1.
        small_objects: whether a small object's cross-entropy counts for as much as a large one's; not as published.

    Returns:
        A scalar.
    """
    probability = logits.sigmoid()
    overlap = (probability * truth).sum(AXES)
    dice = 1 - (2 * overlap + 1) / (probability.sum(AXES) + truth.sum(AXES) + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(AXES)
    if small_objects:  # they fill little of a region
        entropy = entropy / truth.mean(AXES).clamp(1e-3, 1).sqrt()
    with torch.no_grad():
        mask, object_ = logits > 0, truth > 0.5
        union = (mask | object_).sum(AXES).clamp(min=1)
        achieved = (mask & object_).sum(AXES) / union
    quality_error = F.mse_loss(quality[:, 0], achieved)
    return dice.mean() + entropy.mean() + QUALITY_WEIGHT * quality_error


def dice_score(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice of the thresholded mask, `(B,)`."""
    mask, object_ = logits > 0, truth > 0.5
    return 2 * (mask & object_).sum(AXES) / (mask.sum(AXES) + object_.sum(AXES)).clamp(min=1)
