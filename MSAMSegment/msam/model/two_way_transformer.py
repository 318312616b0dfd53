"""The two-way transformer of the mask decoder: tokens look at the image and back (SAM, appendix A)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from msam.config import ModelConfig
from msam.model.layers import MLPBlock, TokenLinear


class CrossAttention(nn.Module):
    """Multi-head attention between two sets of tokens, inside a narrower width.

    Args:
        width: channels of the tokens.
        heads: attention heads.
        downsample: by how much the projections narrow the width.
    """

    def __init__(self, width: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = TokenLinear(width, width // downsample)
        self.k_proj = TokenLinear(width, width // downsample)
        self.v_proj = TokenLinear(width, width // downsample)
        self.out_proj = TokenLinear(width // downsample, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries `(B, N, C)` attend to keys and values `(B, M, C)`; gives `(B, N, C)`."""
        query, key, value = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        split = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key, value))
        out = F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
        projected: Tensor = self.out_proj(out)
        return projected


class TwoWayBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, perceptron, image to tokens."""

    def __init__(self, config: ModelConfig, first: bool) -> None:
        super().__init__()
        width, heads = config.out_channels, config.decoder_heads
        self.first = first
        self.self_attn = CrossAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = CrossAttention(width, heads, downsample=2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLPBlock(width, config.decoder_mlp_dim, nn.ReLU)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = CrossAttention(width, heads, downsample=2)

    def forward(
        self, tokens: Tensor, image: Tensor, token_position: Tensor, image_position: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.first:  # the tokens still are their own positions, and training gave them no shortcut here
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_position
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        placed_image = image + image_position
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_position, placed_image, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(placed_image, tokens + token_position, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Output tokens and click tokens against the image tokens."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.out_channels
        self.layers = nn.ModuleList(TwoWayBlock(config, first=index == 0) for index in range(config.decoder_depth))
        self.final_attn_token_to_image = CrossAttention(width, config.decoder_heads, downsample=2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, image: Tensor, image_position: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens `(B, N, C)`, image `(B, s^3, C)` and its positions `(1, s^3, C)`; gives both after attention."""
        token_position = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_position, image_position)
        attended = self.final_attn_token_to_image(tokens + token_position, image + image_position, image)
        return self.norm_final_attn(tokens + attended), image
