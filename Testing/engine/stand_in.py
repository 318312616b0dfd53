"""A model without weights: it finds what is about as bright as the tissue that was clicked on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from msam.config import ModelConfig
from msam.model.network import Encoded

CONFIG = ModelConfig(name="stand-in", roi_size=32, patch_size=4)
# How far from the clicked brightness a voxel may be, in deviations of the region.
TOLERANCE = 1.0
CERTAINTY = 8.0
QUALITY = 0.9


class StandIn:
    """Has the face of `msam.model.model.Model`. `encoded` and `decoded` count the calls."""

    def __init__(self, config: ModelConfig = CONFIG) -> None:
        self.config = config
        self.device = torch.device("cpu")
        self.encoded = 0
        self.decoded = 0

    def encode(self, roi: Tensor) -> Encoded:
        """Keeps the region as it is."""
        self.encoded += 1
        return Encoded(embedding=roi, image_branch=None, features=[], position=torch.zeros(1, 1, 1, 1, 1))

    def decode(
        self, encoded: Encoded, points: Tensor, labels: Tensor, mask_logits: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Positive logits where a voxel is as bright as the positive clicks, and not as the negative ones."""
        self.decoded += 1
        roi = encoded.embedding
        logits = torch.stack([self._one(*item) for item in zip(roi[:, 0], points, labels, strict=True)])[:, None]
        size = self.config.mask_size
        if logits.shape[-1] != size:
            logits = F.interpolate(logits, size=(size, size, size), mode="trilinear")
        return logits, torch.full((len(roi), 1), QUALITY)

    def _one(self, roi: Tensor, points: Tensor, labels: Tensor) -> Tensor:
        a, b, c = points.round().long().clamp(0, roi.shape[0] - 1).unbind(-1)
        brightness = roi[a, b, c]
        if not (labels == 1).any():
            return torch.full_like(roi, -CERTAINTY)
        away = (roi - brightness[labels == 1].mean()).abs()
        logits = CERTAINTY * (1 - away / TOLERANCE)
        for value in brightness[labels == 0]:
            logits = torch.minimum(logits, CERTAINTY * ((roi - value).abs() - away))
        return logits
