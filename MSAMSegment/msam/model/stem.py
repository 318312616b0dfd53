"""A convolutional stem: what a compact encoder sees before its tokens, and its decoder's source of fine detail."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from msam.model.layers import Conv3d, residual_blocks


class Stem(nn.Module):
    """Halves the resolution once per entry of `channels` and keeps the features of every stage.

    Args:
        channels: channels after each halving.
        depths: residual blocks after each halving; empty for one each.
        windows: slopes of the intensity windows. The network sees tanh(slope * x) for each, as a reader switches
            between a wide and a narrow display window: a contrast of 20 HU is nothing beside air and bone, and plain in
            a narrow window. Empty: the intensities themselves.
    """

    def __init__(self, channels: tuple[int, ...], depths: tuple[int, ...], windows: tuple[float, ...]) -> None:
        super().__init__()
        self.windows = windows
        inputs = (max(len(windows), 1), *channels[:-1])
        self.downscaling = nn.ModuleList(
            # Kernel = stride: no overlap, which is what a CPU does quickly.
            Conv3d(fine, coarse, kernel_size=2, stride=2)
            for fine, coarse in zip(inputs, channels, strict=True)
        )
        self.blocks = nn.ModuleList(
            residual_blocks(width, depth) for width, depth in zip(channels, depths or [1] * len(channels), strict=True)
        )

    def forward(self, roi: Tensor) -> list[Tensor]:
        """`(B, 1, S, S, S)` to one `(B, channels[n], S / 2^(n+1), …)` per stage, fine to coarse."""
        x = torch.cat([torch.tanh(roi * slope) for slope in self.windows], dim=1) if self.windows else roi
        features = []
        for downscale, block in zip(self.downscaling, self.blocks, strict=True):
            x = block(downscale(x))
            features.append(x)
        return features
