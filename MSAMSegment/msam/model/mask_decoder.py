"""The mask decoder: from the enhanced embedding and the click tokens to logits and a predicted quality (SAM-Med3D)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from msam.config import ModelConfig
from msam.model.detail import Detail
from msam.model.fine_logits import FineLogits
from msam.model.layers import LayerNorm3d
from msam.model.mask_summary import summarise, summary_width
from msam.model.two_way_transformer import TwoWayTransformer

MASK_TOKEN_IN_USE = 0


class MLP(nn.Module):
    """Three linear layers with ReLU between them."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList((nn.Linear(width, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, out)))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        out: Tensor = self.layers[-1](x)
        return out


class MaskDecoder(nn.Module):
    """Decodes the one mask that the published iterations use; the other mask tokens only take part in the attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, (middle, fine) = config.out_channels, config.upscale_channels
        self.transformer = TwoWayTransformer(config)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(config.mask_tokens, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose3d(width, middle, kernel_size=2, stride=2),
            LayerNorm3d(middle),
            nn.GELU(),
            nn.ConvTranspose3d(middle, fine, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(MLP(width, width, fine) for _ in range(config.mask_tokens))
        self.quality_sees_mask = config.quality_sees_mask
        seen = width + (summary_width(fine) if config.quality_sees_mask else 0)
        self.iou_prediction_head = MLP(seen, config.quality_hidden_dim, config.mask_tokens)
        self.detail = Detail(config) if config.stem_channels else None
        self.fine_logits = FineLogits(fine) if config.fine_logits else None

    def forward(
        self, embedding: Tensor, position: Tensor, clicks: Tensor, features: list[Tensor], maps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decodes one step.

        Args:
            embedding: the adapter's output, `(B, C, s, s, s)`.
            position: encoding of the image tokens, `(1, C, s, s, s)`.
            clicks: click tokens, `(B, N, C)`.
            features: the stem's features, fine to coarse; used where there is a stem.
            maps: what the mask branch saw, `(B, map_channels, c, c, c)`; used where there is a stem.

        Returns:
            Logits `(B, 1, m, m, m)` and quality `(B, 1)`, the predicted intersection over union.
        """
        batch, _, grid = embedding.shape[:3]
        outputs = torch.cat((self.iou_token.weight, self.mask_tokens.weight)).expand(batch, -1, -1)
        tokens, image = self.transformer(
            torch.cat((outputs, clicks), dim=1),
            embedding.flatten(2).transpose(1, 2),
            position.flatten(2).transpose(1, 2),
        )
        image = image.transpose(1, 2).unflatten(2, (grid, grid, grid))
        upscaled = self._upscale(image, features, maps)
        mask_token = tokens[:, 1 + MASK_TOKEN_IN_USE]
        weights = self.output_hypernetworks_mlps[MASK_TOKEN_IN_USE](mask_token)
        logits = torch.einsum("bc,bcxyz->bxyz", weights, upscaled).unsqueeze(1)
        if self.fine_logits is not None:
            logits = self.fine_logits(logits, upscaled)
        seen = tokens[:, 0]
        if self.quality_sees_mask:
            # Detached: a good mask is what makes its quality high, and not the other way round.
            summary = summarise(F.adaptive_avg_pool3d(logits, upscaled.shape[-1]), upscaled)
            seen = torch.cat((seen, summary.detach().to(seen.dtype)), dim=1)
        quality = self.iou_prediction_head(seen)
        return logits, quality[:, MASK_TOKEN_IN_USE : MASK_TOKEN_IN_USE + 1]

    def _upscale(self, image: Tensor, features: list[Tensor], maps: Tensor) -> Tensor:
        first, norm, activation, second, last = self.output_upscaling
        x = first(image)
        if self.detail is None:
            out: Tensor = last(second(activation(norm(x))))
            return out
        x = activation(norm(self.detail.refine_middle(x + self.detail.middle(features, maps))))
        x = second(x) + self.detail.fine(features, maps)
        refined: Tensor = last(self.detail.refine(x))
        return refined
