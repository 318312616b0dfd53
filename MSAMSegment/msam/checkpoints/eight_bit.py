"""Weights in eight bits: whole numbers, with a scale for each output channel. Half the size of float16.

Only what is stored has eight bits; the network calculates with what they stand for. A weight is off by at most a 254th
of the largest one of its channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from msam.checkpoints.wording import first_few
from msam.errors import CheckpointError

# Smaller tensors (biases, norms, embeddings of clicks) are a small part of a network, and count for more.
LEAST_NUMBERS = 65_536
_LARGEST = 127
_SCALE = ".int8_scale"
Entry = TypeVar("Entry")


def pack(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is stored of a network: eight bits and scales for large matrices and kernels, float16 for the rest.

    Args:
        state_dict: finite weights on the CPU.
    """
    stored = {}
    for name, tensor in state_dict.items():
        if tensor.ndim < 2 or tensor.numel() < LEAST_NUMBERS:
            stored[name] = tensor.half()
            continue
        rows = tensor.float().flatten(1)
        scale = rows.abs().amax(1) / _LARGEST
        numbers = (rows / scale.where(scale > 0, 1.0)[:, None]).round()
        stored[name] = numbers.to(torch.int8).reshape(tensor.shape)
        stored[name + _SCALE] = scale
    return stored


def unpack(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32, in memory of their own.

    Raises:
        CheckpointError: whole numbers without their scales, or scales that do not fit.
    """
    weights = without_scales(stored)
    unfit = [
        name
        for name, tensor in weights.items()
        if (tensor.dtype == torch.int8) != (name + _SCALE in stored)
        or (tensor.dtype == torch.int8 and stored[name + _SCALE].shape != tensor.shape[:1])
    ]
    if unfit or len(stored) != len(weights) + sum(tensor.dtype == torch.int8 for tensor in weights.values()):
        raise CheckpointError(
            f"The checkpoint's scales do not fit its tensors{f' ({first_few(unfit)})' if unfit else ''}: "
            "get the file anew."
        )
    return {name: _in_full(tensor, stored.get(name + _SCALE)) for name, tensor in weights.items()}


def without_scales(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries that belong to the network's own tensors."""
    return {name: entry for name, entry in entries.items() if not name.endswith(_SCALE)}


def _in_full(tensor: Tensor, scale: Tensor | None) -> Tensor:
    if scale is None:
        return tensor.to(torch.float32, copy=True).contiguous()
    return tensor.float() * scale.float().reshape(-1, *[1] * (tensor.ndim - 1))
