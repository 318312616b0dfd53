"""Fine detail for the mask decoder's upscaling: the stem's features and the prompt maps, at their own resolution.

The published decoder sees nothing finer than its tokens. With a stem, the two upscaling stages also see the features
that the stem had there, the clicks and the last mask, so that borders follow the image and not the token grid.
"""

from __future__ import annotations

from torch import Tensor, nn

from msam.config import ModelConfig
from msam.model.layers import Conv3d, residual_blocks


class Detail(nn.Module):
    """What the upscaling adds, and its residual blocks, at each of its two resolutions, `2 s` and `m = 4 s`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        middle, fine = config.upscale_channels
        map_channels = 3 if config.dense_clicks else 1
        self.from_middle = Conv3d(config.stem_channels[-1], middle, kernel_size=1)
        self.maps_to_middle = Conv3d(map_channels, middle, kernel_size=2, stride=2)
        self.refine_middle = residual_blocks(middle, config.detail_depths[0])
        self.from_fine = Conv3d(config.stem_channels[-2], fine, kernel_size=1)
        self.from_maps = Conv3d(map_channels, fine, kernel_size=1)
        self.refine = residual_blocks(fine, config.detail_depths[1])

    def middle(self, features: list[Tensor], maps: Tensor) -> Tensor:
        """`(B, middle, 2 s, 2 s, 2 s)`."""
        out: Tensor = self.from_middle(features[-1]) + self.maps_to_middle(maps)
        return out

    def fine(self, features: list[Tensor], maps: Tensor) -> Tensor:
        """`(B, fine, m, m, m)`."""
        out: Tensor = self.from_fine(features[-2]) + self.from_maps(maps)
        return out
