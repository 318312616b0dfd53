"""The whole network: image encoder, prompt encoder, mask-enhanced adapter, mask decoder (M-SAM, arXiv 2403.05912)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from msam.config import ModelConfig
from msam.model.image_encoder import ImageEncoder
from msam.model.mask_decoder import MaskDecoder
from msam.model.mask_enhanced_adapter import Branch, MaskEnhancedAdapter
from msam.model.prompt_encoder import PromptEncoder


@dataclass(frozen=True)
class Encoded:
    """All that depends on the image alone; every click on the region starts from it.

    Attributes:
        embedding: the image embedding `(B, C, s, s, s)`.
        image_branch: the adapter's branch of the image; None without an adapter.
        features: the stem's features, fine to coarse; empty without a stem.
        position: the encoding of the image tokens, `(1, C, s, s, s)`.
    """

    embedding: Tensor
    image_branch: Branch | None
    features: list[Tensor]
    position: Tensor

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        tensors = [self.embedding, self.position, *self.features, *(self.image_branch or ())]
        return sum(tensor.nbytes for tensor in tensors)

    def to(self, device: torch.device) -> Encoded:
        """The same on another device."""
        branch = self.image_branch and Branch(*(tensor.to(device) for tensor in self.image_branch))
        features = [tensor.to(device) for tensor in self.features]
        return Encoded(self.embedding.to(device), branch, features, self.position.to(device))


class MSAM(nn.Module):
    """The network of one configuration. Training and `Model` both drive it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config)
        self.prompt_encoder = PromptEncoder(config)
        self.adapter = MaskEnhancedAdapter(config) if config.adapter else None
        self.mask_decoder = MaskDecoder(config)

    def encode(self, roi: Tensor) -> Encoded:
        """Normalised regions `(B, 1, S, S, S)` to what every click on them starts from."""
        return self.from_embedding(*self.image_encoder(roi))

    def from_embedding(self, embedding: Tensor, features: list[Tensor] | None = None) -> Encoded:
        """All that follows from an image embedding `(B, C, s, s, s)`, and the stem's features, before any click."""
        branch = self.adapter.image_branch(embedding) if self.adapter is not None else None
        position = self.prompt_encoder.pe_layer.grid(self.config.token_grid)
        # The decoder looks only at the two resolutions that it upscales to.
        return Encoded(embedding, branch, (features or [])[-2:], position)

    def decode(self, encoded: Encoded, points: Tensor, labels: Tensor, mask_logits: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the iteration.

        Args:
            encoded: of B regions.
            points: `(B, N, 3)` in ROI voxels (i, j, k).
            labels: `(B, N)`, 1 positive, 0 negative, -1 filler.
            mask_logits: the logits of the step before, `(B, 1, m, m, m)`; zeros at the first step, as in training.

        Returns:
            Logits `(B, 1, m, m, m)` and quality `(B, 1)`.
        """
        clicks = self.prompt_encoder.sparse(points, labels)
        maps = self.prompt_encoder.maps(points, labels, mask_logits)
        mask_embedding = self.prompt_encoder.dense(maps)
        if self.adapter is not None and encoded.image_branch is not None:
            embedding = self.adapter(encoded.image_branch, mask_embedding)
        else:
            embedding = encoded.embedding + mask_embedding
        logits, quality = self.mask_decoder(embedding, encoded.position, clicks, encoded.features, maps)
        return logits, quality
