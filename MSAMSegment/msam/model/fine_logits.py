"""Logits as fine as the region's own voxels, for configurations that ask for them (`ModelConfig.fine_logits`).

The published decoder answers with a cell for every four voxels along each axis, the compact one's upscaling with a
cell for every two: of a tumour 25 voxels wide, most of what a mask got wrong lay within one such cell of its border.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from msam.model.layers import Conv3d

# Logits far beyond certainty say nothing more; the prompt encoder bounds them in the same way.
CERTAIN = 4.0


class FineLogits(nn.Module):
    """Twice as many logits along each axis: interpolated ones, and what a sub-voxel convolution adds to them.

    Sub-voxel convolution: eight values are computed for each cell on the coarse grid and laid out as its 2x2x2 voxels
    (Shi et al., CVPR 2016, in three dimensions). The first stage of a stem keeps as many numbers of those voxels as it
    sees of them, so nothing of the image has to be looked at again. A new module is the interpolation alone.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = Conv3d(channels + 1, 2 * channels, kernel_size=3, padding=1)
        self.voxels = Conv3d(2 * channels, 8, kernel_size=3, padding=1)
        for parameter in self.voxels.parameters():
            nn.init.zeros_(parameter)

    def forward(self, logits: Tensor, features: Tensor) -> Tensor:
        """`(B, 1, c, c, c)` and what they were made from, `(B, C, c, c, c)`, to `(B, 1, 2 c, 2 c, 2 c)`."""
        logits = logits.float()
        seen = torch.cat((features, torch.tanh(logits / CERTAIN).to(features.dtype)), dim=1)
        added = self.voxels(F.gelu(self.hidden(seen)))
        smooth = F.interpolate(logits, scale_factor=2, mode="trilinear", align_corners=False)
        return smooth + _as_voxels(added)


def _as_voxels(values: Tensor) -> Tensor:
    """Eight values of each cell, `(B, 8, c, c, c)`, as its 2x2x2 voxels, `(B, 1, 2 c, 2 c, 2 c)`."""
    batch, _, i, j, k = values.shape
    inner: Tensor = values.unflatten(1, (2, 2, 2)).permute(0, 4, 1, 5, 2, 6, 3)
    return inner.reshape(batch, 1, 2 * i, 2 * j, 2 * k)
