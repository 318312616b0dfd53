"""The prompt encoder: clicks become tokens, the last mask becomes an embedding as large as the image's (SAM-Med3D)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from msam.config import ModelConfig
from msam.model.layers import Conv3d, LayerNorm3d

NOT_A_POINT, NEGATIVE, POSITIVE = -1, 0, 1


class RandomPositionEncoding(nn.Module):
    """Positions in [0, 1]^3 to sines and cosines of random frequencies (parity fact 4)."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(3, channels // 3))

    def forward(self, positions: Tensor) -> Tensor:
        """`(..., 3)` to `(..., C)`."""
        # Products and sums, not a matrix product: autocast would round the angles to bfloat16.
        frequencies = self.positional_encoding_gaussian_matrix
        angles = 2 * math.pi * ((2 * positions - 1).unsqueeze(-1) * frequencies).sum(-2)
        sine = angles.sin()
        return torch.cat((sine, angles.cos(), sine), dim=-1)

    def grid(self, size: int) -> Tensor:
        """The encoding of the image tokens, `(1, C, size, size, size)`.

        The published code swaps the first two axes: the token at (i, j, k) is encoded as the position (j, i, k).
        """
        frequencies = self.positional_encoding_gaussian_matrix
        centres = (torch.arange(size, device=frequencies.device, dtype=frequencies.dtype) + 0.5) / size
        i, j, k = torch.meshgrid(centres, centres, centres, indexing="ij")
        encoded: Tensor = self(torch.stack((j, i, k), dim=-1))
        return encoded.movedim(-1, 0).unsqueeze(0)


class PromptEncoder(nn.Module):
    """Clicks and mask logits to sparse and dense embeddings."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, hidden = config.out_channels, config.mask_channels
        self.roi_size = config.roi_size
        self.map_size = config.map_size
        self.dense_clicks = config.dense_clicks
        self.pe_layer = RandomPositionEncoding(width)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in (NEGATIVE, POSITIVE))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            Conv3d(self.map_channels, hidden // 4, kernel_size=2, stride=2),
            LayerNorm3d(hidden // 4),
            nn.GELU(),
            Conv3d(hidden // 4, hidden, kernel_size=2, stride=2),
            LayerNorm3d(hidden),
            nn.GELU(),
            Conv3d(hidden, width, kernel_size=1),
        )
        # Public checkpoints carry it; the published iterations never use it, since they always pass a mask.
        self.no_mask_embed = nn.Embedding(1, width)

    @property
    def map_channels(self) -> int:
        """Channels of `maps`."""
        return 3 if self.dense_clicks else 1

    def sparse(self, points: Tensor, labels: Tensor) -> Tensor:
        """Clicks to tokens.

        Args:
            points: `(B, N, 3)` in ROI voxels (i, j, k).
            labels: `(B, N)`, 1 positive, 0 negative, -1 a filler that stands for no click.

        Returns:
            `(B, N + 1, C)`: one token a click and the padding point that training always appended.
        """
        encoded: Tensor = self.pe_layer((points + 0.5) / self.roi_size)
        kind = labels.unsqueeze(-1)
        kinds = torch.cat(list(self.point_embeddings.parameters()))
        tokens = encoded + torch.where(kind == POSITIVE, kinds[POSITIVE], kinds[NEGATIVE])
        filler = self.not_a_point_embed.weight
        tokens = torch.where(kind == NOT_A_POINT, filler, tokens)
        return torch.cat((tokens, filler.expand(len(tokens), 1, -1)), dim=1)

    def maps(self, points: Tensor, labels: Tensor, mask_logits: Tensor) -> Tensor:
        """What the mask branch sees: the last logits and, with dense clicks, a map of each kind of click.

        Args:
            points: `(B, N, 3)` in ROI voxels.
            labels: `(B, N)`.
            mask_logits: `(B, 1, m, m, m)`; finer ones than the maps are averaged.

        Returns:
            `(B, map_channels, c, c, c)`, where `c` is `ModelConfig.map_size`.
        """
        if mask_logits.shape[-1] != self.map_size:
            mask_logits = F.adaptive_avg_pool3d(mask_logits, self.map_size)
        if not self.dense_clicks:
            return mask_logits
        # Logits far beyond certainty say nothing more; bounded, they stay on the scale of the click maps.
        bounded = torch.tanh(mask_logits / 4)
        centres = torch.arange(self.map_size, device=points.device, dtype=points.dtype)
        scaled = (points + 0.5) * (self.map_size / self.roi_size) - 0.5
        # A Gaussian of 1.5 logit voxels: wide enough to be seen by 2x2x2 kernels, and separable over the axes.
        profile = torch.exp(-((centres - scaled.unsqueeze(-1)) ** 2) / (2 * 1.5**2))  # (B, N, 3, m)
        channels = [bounded]
        for kind in (POSITIVE, NEGATIVE):
            weight = (labels == kind).to(points.dtype)
            summed = torch.einsum("bn,bni,bnj,bnk->bijk", weight, *profile.unbind(2))
            channels.append(summed.clamp(max=1).unsqueeze(1))
        return torch.cat(channels, dim=1)

    def dense(self, maps: Tensor) -> Tensor:
        """`maps` to the mask embedding `(B, C, s, s, s)`."""
        embedding: Tensor = self.mask_downscaling(maps)
        return embedding
