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
        self.proj = nn.Linear(width, width)
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
        if bias is not None and self.padded:
            pad_logit, pad_key, pad_value = self._padding(query)
            key = torch.cat((key, pad_key.expand(batch, -1, -1, -1)), dim=2)
            value = torch.cat((value, pad_value.expand(batch, -1, -1, -1)), dim=2)
            bias = torch.cat((bias, pad_logit), dim=3)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        merged: Tensor = self.proj(out.transpose(1, 2).reshape(batch, g, g, g, width))
        return merged

    def _tables(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rows for every (query index, key index) of a window of `size`: three of (size, size, c)."""
        index = torch.arange(size, device=self.rel_pos_d.device)
        offset = index[:, None] - index[None, :] + size - 1
        return self.rel_pos_d[offset], self.rel_pos_h[offset], self.rel_pos_w[offset]

    def _position_bias(self, query: Tensor) -> Tensor:
        """The three relative position terms between real tokens: (B, heads, g^3, g^3)."""
        g = self.grid
        size = (self.rel_pos_d.shape[0] + 1) // 2
        depth, height, width = (table[:g, :g] for table in self._tables(size))
        cube = query.unflatten(2, (g, g, g))  # (B, heads, d, h, w, c)
        own = torch.einsum("nmdhwx,dcx->nmdhwc", cube, depth)
        across = torch.einsum("nmdhax,hcx->nmdhac", cube, height)
        along = torch.einsum("nmdhbx,bcx->nmdhbc", cube, width)
        shared = across.unsqueeze(5) + along.unsqueeze(4)  # (B, heads, d, h, a, b, c): the same for every w
        bias = own[:, :, :, :, :, None, None, :] + shared.unsqueeze(4)
        return bias.reshape(*query.shape[:2], g**3, g**3)

    def _padding(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The one key that stands for all padding.

        Returns:
            What its logit has beyond query . key, shape (B, heads, g^3, 1), its key and its value, (1, heads, 1, c).
        """
        g = self.grid
        bias = self.qkv.bias.reshape(3, 1, self.heads, 1, -1)
        pad_query, pad_key, pad_value = bias.unbind(0)
        size = (self.rel_pos_d.shape[0] + 1) // 2
        depth, height, width = self._tables(size)
        cube = query.unflatten(2, (g, g, g))
        own = torch.einsum("nmdhwx,dcx->nmdhwc", cube, depth[:g])
        padded = pad_query[:, :, 0]  # (1, heads, c)
        across = torch.einsum("nmdhax,hcx->nmdhac", cube, height[:g])
        along = torch.einsum("nmdhbx,bcx->nmdhbc", cube, width[:g])
        # Beyond the grid the query is the bias: the sum over those a is one term times their number.
        beyond_a = torch.einsum("nmx,hcx->nmhc", padded, height[:g]) + math.log(size - g)
        beyond_a = beyond_a[:, :, None].expand(query.shape[0], -1, g, -1, -1)
        beyond_b = torch.einsum("nmx,bcx->nmbc", padded, width[g:]).logsumexp(2)[:, :, None, None]
        real_a, real_b = across.logsumexp(4), along.logsumexp(4)  # (B, heads, d, h, c)
        all_a = torch.logaddexp(real_a, beyond_a)
        # A key (a, b, c) is padding if a or b or c lies beyond the grid.
        not_both_real = torch.logaddexp(beyond_a + torch.logaddexp(real_b, beyond_b), real_a + beyond_b)
        everything = all_a + torch.logaddexp(real_b, beyond_b)
        total = torch.cat((not_both_real[..., :g], everything[..., g:]), dim=-1)
        extra = (own + total.unsqueeze(4)).logsumexp(-1)
        return extra.flatten(2).unsqueeze(-1).to(query.dtype), pad_key.to(query.dtype), pad_value.to(query.dtype)
