"""The Mask-Enhanced Adapter of M-SAM (arXiv 2403.05912, section 2.2): the last mask enriches the image embedding.

The order of the operations is the published code's (parity fact 6), which the paper's figure simplifies.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from msam.config import ModelConfig
from msam.model.attention import Attention
from msam.model.layers import Conv3d, LayerNorm3d, MLPBlock


class Branch(NamedTuple):
    """A normalised embedding and what its convolutions made of it, both `(B, C, s, s, s)`."""

    embedding: Tensor
    enhanced: Tensor


class NormedAttention(Attention):
    """Norm, attention, shortcut, norm, perceptron; no shortcut around the perceptron. On `(B, C, s, s, s)`."""

    def __init__(self, config: ModelConfig) -> None:
        width = config.out_channels
        super().__init__(width, config.adapter_heads, config.token_grid, relative_position=config.relative_position)
        self.norm1 = LayerNorm3d(width)
        self.norm2 = LayerNorm3d(width)
        self.mlp = MLPBlock(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        attended = super().forward(self.norm1(x).movedim(1, -1)).movedim(-1, 1)
        return _voxelwise(self.mlp, self.norm2(attended + x))


class MutualFeatureEnhancement(nn.Module):
    """The Mutual Feature Enhancement Block: image and mask embedding inform each other."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.out_channels
        for name in ("prompt", "image"):
            self.add_module(f"{name}_conv1", Conv3d(width, width, kernel_size=3, padding=1))
            self.add_module(f"{name}_norm", LayerNorm3d(width))
            self.add_module(f"{name}_conv2", Conv3d(width, width, kernel_size=1))
            self.add_module(f"{name}_addnorm1", LayerNorm3d(width))
            self.add_module(f"{name}_multiheadattn", NormedAttention(config))
            self.add_module(f"{name}_addnorm2", LayerNorm3d(width))
            self.add_module(f"{name}_addnorm3", LayerNorm3d(width))
        self.mlp1 = MLPBlock(width, 4 * width)
        self.mlp2 = MLPBlock(width, 4 * width)

    def convolve(self, name: str, embedding: Tensor) -> Branch:
        """The convolutions of the "image" or the "prompt" branch; they look at that branch alone."""
        hidden = F.gelu(self._part(name, "norm")(self._part(name, "conv1")(embedding)))
        enhanced = self._part(name, "addnorm1")(self._part(name, "conv2")(hidden) + embedding)
        return Branch(embedding, enhanced)

    def forward(self, image: Branch, prompt: Branch) -> tuple[Tensor, Tensor]:
        """The enhanced image and mask embedding."""
        both = image.embedding + prompt.embedding
        return (
            self._attend("image", both + image.enhanced, image.enhanced, self.mlp1),
            self._attend("prompt", both + prompt.enhanced, prompt.enhanced, self.mlp2),
        )

    def _attend(self, name: str, x: Tensor, shortcut: Tensor, mlp: MLPBlock) -> Tensor:
        x = self._part(name, "addnorm2")(self._part(name, "multiheadattn")(x) + shortcut)
        out: Tensor = self._part(name, "addnorm3")(_voxelwise(mlp, x) + x)
        return out

    def _part(self, branch: str, part: str) -> nn.Module:
        return self.get_submodule(f"{branch}_{part}")


class MaskEnhancedAdapter(nn.Module):
    """Image and mask embedding to the embedding that the mask decoder works on."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.out_channels
        self.mutual_enhancement = MutualFeatureEnhancement(config)
        self.multi_head_self_attention = NormedAttention(config)
        self.add_norm = LayerNorm3d(width)
        self.add_norm2 = LayerNorm3d(width)
        self.add_norm3 = LayerNorm3d(width)
        self.mlp = MLPBlock(width, 4 * width)

    def image_branch(self, image_embedding: Tensor) -> Branch:
        """What depends on the image alone: computed once per region, kept with its embedding."""
        return self.mutual_enhancement.convolve("image", self.add_norm3(image_embedding))

    def forward(self, image: Branch, mask_embedding: Tensor) -> Tensor:
        """All `(B, C, s, s, s)`."""
        prompt = self.mutual_enhancement.convolve("prompt", self.add_norm2(mask_embedding))
        enhanced_image, enhanced_prompt = self.mutual_enhancement(image, prompt)
        total = enhanced_image + image.embedding + enhanced_prompt + prompt.embedding
        out: Tensor = self.add_norm(self.multi_head_self_attention(total) + total)
        return out + _voxelwise(self.mlp, out)


def _voxelwise(mlp: MLPBlock, x: Tensor) -> Tensor:
    """A perceptron over the channels of `(B, C, s, s, s)`."""
    out: Tensor = mlp(x.movedim(1, -1)).movedim(-1, 1)
    return out
