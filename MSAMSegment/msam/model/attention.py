"""Self-attention over a cube of tokens, as the published weights mean it (parity facts 2 and 3).

Two things set it apart from the papers' formula.

*Relative position.* With q the unscaled query and R a table row for (query index - key index), the logit between the
query token (d, h, w) and the key token (a, b, c) gains

    q[d, h, w] . Rd[d, c]  +  q[d, h, a] . Rh[h, c]  +  q[d, h, b] . Rw[b, c]

so all three terms vary along the key's last axis, and two of them look at a neighbour's query.

*Padding.* The published windows (14) are larger than the token grid (8), and their padding takes part in the softmax:
a padded token is zero after the norm, so its query, key and value are the bias of `qkv`. All padded keys and values
being equal, they are one extra key here, whose logit is the log-sum-exp of theirs. It has a closed form, because the
three terms above separate into a sum over a, a sum over b and a sum over c.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from msam.model.layers import TokenLinear
from msam.model.lora import qkv_projection


class Attention(nn.Module):
    """Multi-head self-attention over `(B, g, g, g, C)`.

    Args:
        width: channels C.
        heads: attention heads; they divide C.
        grid: tokens g along each axis.
        window: tokens along each axis of the padded window, at least `grid`; 0 for none.
        relative_position: whether the logits carry the relative position terms; a padded window needs them.
        lora_rank: rank of the LoRA terms; 0 for none.
    """

    def __init__(
        self, width: int, heads: int, grid: int, window: int = 0, relative_position: bool = True, lora_rank: int = 0
    ) -> None:
        super().__init__()
        self.heads = heads
        self.grid = grid
        self.padded = window > grid
        self.relative_position = relative_position
        self.qkv = qkv_projection(width, lora_rank)
        self.proj = TokenLinear(width, width)
        if relative_position:
            rows = 2 * max(window, grid) - 1
            self.rel_pos_d = nn.Parameter(torch.zeros(rows, width // heads))
            self.rel_pos_h = nn.Parameter(torch.zeros(rows, width // heads))
            self.rel_pos_w = nn.Parameter(torch.zeros(rows, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        batch, g, width = x.shape[0], self.grid, x.shape[-1]
        qkv = self.qkv(x).reshape(batch, g**3, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)  # each (B, heads, g^3, c)
        bias = self._position_bias(query) if self.relative_position else None
        if self.padded:
            pad_key, pad_value = self.qkv.bias.reshape(3, 1, self.heads, 1, -1)[1:].to(query.dtype)
            key = torch.cat((key, pad_key.expand(batch, -1, -1, -1)), dim=2)
            value = torch.cat((value, pad_value.expand(batch, -1, -1, -1)), dim=2)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        merged: Tensor = self.proj(out.transpose(1, 2).reshape(batch, g, g, g, width))
        return merged

    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Table rows for every (query index, key index) of a window, three of (size, size, c)."""
        size = (self.rel_pos_d.shape[0] + 1) // 2
        # Row (q - k + size - 1) as windows of the reversed table: no index tensors to build at every call.
        d, h, w = (
            table.flip(0).unfold(0, size, 1).flip(0).transpose(1, 2)
            for table in (self.rel_pos_d, self.rel_pos_h, self.rel_pos_w)
        )
        return d, h, w

    def _position_bias(self, query: Tensor) -> Tensor:
        """What the logits have beyond query . key: (B, heads, g^3, g^3), with one more column for all padding."""
        g = self.grid
        depth, height, width = self._tables()
        cube = query.unflatten(2, (g, g, g))  # (B, heads, d, h, w, c)
        own = torch.einsum("nmdhwx,dcx->nmdhwc", cube, depth[:g])
        across = torch.einsum("nmdhax,hcx->nmdhac", cube, height[:g])
        along = torch.einsum("nmdhbx,bcx->nmdhbc", cube, width[:g])
        # The second and the third term are the same for every w: (B, heads, d, h, a, b, c).
        shared = across[..., :g].unsqueeze(5) + along[..., :g].unsqueeze(4)
        # One buffer, filled in place: no tensor of the encoder is larger, and copies of it cost a tenth of the time.
        bias = query.new_empty(*query.shape[:2], g**3, g**3 + self.padded)
        between_tokens = bias[..., : g**3].unflatten(3, (g, g, g)).unflatten(2, (g, g, g))
        between_tokens.copy_(own[..., :g][:, :, :, :, :, None, None].expand_as(between_tokens))
        between_tokens.add_(shared.unsqueeze(4))
        if self.padded:
            bias[..., -1] = self._padding_logit(own, across, along, height, width).flatten(2)
        return bias

    def _padding_logit(self, own: Tensor, across: Tensor, along: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """The log-sum-exp of the position terms over all padded keys: (B, heads, d, h, w).

        Args:
            own: q[d, h, w] . Rd[d, c], (B, heads, d, h, w, size).
            across: q[d, h, a] . Rh[h, c] for the a inside the grid, (B, heads, d, h, a, size).
            along: q[d, h, b] . Rw[b, c] for the b inside the grid, (B, heads, d, h, b, size).
            height: table Rh, (size, size, c).
            width: table Rw, (size, size, c).
        """
        g, size = self.grid, len(width)
        padded = self.qkv.bias.unflatten(0, (3, self.heads, -1))[0]  # (heads, c): the query of a padded token
        real_a, real_b = across.logsumexp(4), along.logsumexp(4)  # (B, heads, d, h, c)
        # Beyond the grid the query is the bias: the sum over those a is one term times their number.
        beyond_a = torch.einsum("mx,hcx->mhc", padded, height[:g]) + math.log(size - g)
        beyond_a = beyond_a[:, None].expand_as(real_a)
        beyond_b = torch.einsum("mx,bcx->mbc", padded, width[g:]).logsumexp(1)[:, None, None]
        all_b = torch.logaddexp(real_b, beyond_b)
        # A key (a, b, c) is padding if a or b or c lies beyond the grid.
        a_or_b = torch.logaddexp(beyond_a + all_b, real_a + beyond_b)
        everything = torch.logaddexp(real_a, beyond_a) + all_b
        total = torch.cat((a_or_b[..., :g], everything[..., g:]), dim=-1)
        return (own + total.unsqueeze(4)).logsumexp(-1)
