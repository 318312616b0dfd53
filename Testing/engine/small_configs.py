"""Configurations small enough for tests."""

from __future__ import annotations

import torch
from torch import nn

from msam.config import ModelConfig
from msam.model.network import MSAM

TINY = ModelConfig(
    name="tiny",
    roi_size=32,
    patch_size=8,
    embed_dim=48,
    depth=2,
    num_heads=4,
    window_size=6,
    global_blocks=(1,),
    out_channels=24,
    adapter_heads=4,
    decoder_heads=4,
    decoder_mlp_dim=32,
    upscale_channels=(8, 4),
    quality_hidden_dim=16,
)


def random_network(config: ModelConfig, seed: int = 0) -> MSAM:
    """A network whose every parameter is random and of a size that training would give it."""
    generator = torch.Generator().manual_seed(seed)
    network = MSAM(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.add_(0.1 * values)
        else:
            parameter.copy_(values * (0.5 / nn.init._calculate_correct_fan(parameter, "fan_in") ** 0.5))
    return network
