"""The padded windows, never materialised, against the version that materialises them."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from published_way import self_attention

from msam.model.attention import Attention


def random_attention(width: int, heads: int, grid: int, window: int, seed: int) -> Attention:
    torch.manual_seed(seed)
    layer = Attention(width, heads, grid, window, lora_rank=0).requires_grad_(False)
    for parameter in layer.parameters():
        parameter.copy_(0.4 * torch.randn(parameter.shape))
    return layer


@given(
    grid=st.integers(1, 4),
    extra=st.integers(0, 4),
    heads=st.sampled_from([1, 2, 3]),
    head_width=st.integers(1, 6),
    batch=st.integers(1, 2),
    seed=st.integers(0, 2**16),
)
def test_closed_form_of_the_padding_equals_the_padding(
    grid: int, extra: int, heads: int, head_width: int, batch: int, seed: int
) -> None:
    width, window = heads * head_width, grid + extra
    layer = random_attention(width, heads, grid, window, seed).double()  # the formula, not the rounding, is at stake
    tokens = torch.randn(batch, grid, grid, grid, width, dtype=torch.float64)
    expected = self_attention(layer, tokens, window)
    assert torch.allclose(layer(tokens), expected, atol=1e-5, rtol=1e-5)


def test_padding_takes_part_in_the_attention() -> None:
    """Leaving it out would be simpler, and wrong: the weights were trained with it."""
    layer = random_attention(8, 2, grid=3, window=5, seed=1)
    tokens = torch.randn(1, 3, 3, 3, 8)
    assert not torch.allclose(layer(tokens), self_attention(layer, tokens, 0) if layer.padded else tokens, atol=1e-2)


def test_large_logits_do_not_overflow() -> None:
    layer = random_attention(12, 2, grid=3, window=5, seed=2)
    tokens = 100 * torch.randn(1, 3, 3, 3, 12)
    out = layer(tokens)
    assert torch.isfinite(out).all()
    assert torch.allclose(out, self_attention(layer, tokens, 5), rtol=1e-3, atol=1e-3)
