"""The image encoder: a vision transformer over the patches of a region of interest (SAM-Med3D, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from msam.config import ModelConfig
from msam.model.attention import Attention
from msam.model.layers import Conv3d, LayerNorm3d, MLPBlock
from msam.model.stem import Stem


class Block(nn.Module):
    """A transformer block on `(B, g, g, g, C)`: norm, attention, shortcut, norm, perceptron, shortcut."""

    def __init__(self, config: ModelConfig, window: int) -> None:
        super().__init__()
        width = config.embed_dim
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(
            width, config.num_heads, config.token_grid, window, config.relative_position, config.lora_rank
        )
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLPBlock(width, int(width * config.mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchEmbed(nn.Module):
    """Non-overlapping patches to tokens: `(B, C, n, n, n)` to `(B, g, g, g, width)`."""

    def __init__(self, in_channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.proj = Conv3d(in_channels, width, kernel_size=patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.proj(x)
        return tokens.movedim(1, -1)


class ImageEncoder(nn.Module):
    """Region of interest to image embedding."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        grid, width, out = config.token_grid, config.embed_dim, config.out_channels
        self.stem = (
            Stem(config.stem_channels, config.stem_depths, config.intensity_windows) if config.stem_channels else None
        )
        patch_channels = config.stem_channels[-1] if config.stem_channels else 1
        self.patch_embed = PatchEmbed(patch_channels, width, config.patch_size >> len(config.stem_channels))
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, grid, width))
        self.blocks = nn.ModuleList(
            Block(config, window=0 if index in config.global_blocks else config.window_size)
            for index in range(config.depth)
        )
        self.neck = nn.Sequential(
            Conv3d(width, out, kernel_size=1, bias=False),
            LayerNorm3d(out),
            Conv3d(out, out, kernel_size=3, padding=1, bias=False),
            LayerNorm3d(out),
        )

    def forward(self, roi: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encodes normalised regions.

        Args:
            roi: `(B, 1, S, S, S)`.

        Returns:
            The image embedding `(B, C, s, s, s)`, and the stem's features from fine to coarse (none without a stem).
        """
        features = self.stem(roi) if self.stem is not None else []
        x = self.patch_embed(features[-1] if features else roi) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.neck(x.movedim(-1, 1)), features
