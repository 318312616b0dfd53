"""Low-rank adaptation of the query and value projections (LoRA, arXiv 2106.09685), as M-SAM trains it.

Only training needs these layers: checkpoints are folded (`msam.checkpoints`) before inference.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from msam.model.layers import TokenLinear


class LoRAQueryValue(TokenLinear):
    """A `qkv` projection whose query and value parts carry a trainable low-rank term.

    q += B_q A_q x and v += B_v A_v x (parity fact 5). The names of the parameters are the published ones.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__(width, 3 * width)
        self.linear_a_q = nn.Linear(width, rank, bias=False)
        self.linear_b_q = nn.Linear(rank, width, bias=False)
        self.linear_a_v = nn.Linear(width, rank, bias=False)
        self.linear_b_v = nn.Linear(rank, width, bias=False)
        for down, up in ((self.linear_a_q, self.linear_b_q), (self.linear_a_v, self.linear_b_v)):
            nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
            nn.init.zeros_(up.weight)  # training starts from the pretrained projection

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = super().forward(x).chunk(3, dim=-1)
        query = query + self.linear_b_q(self.linear_a_q(x))
        value = value + self.linear_b_v(self.linear_a_v(x))
        return torch.cat((query, key, value), dim=-1)


def qkv_projection(width: int, rank: int) -> nn.Linear:
    """The `qkv` projection of an attention layer, with LoRA where `rank` is above 0."""
    return LoRAQueryValue(width, rank) if rank else TokenLinear(width, 3 * width)
