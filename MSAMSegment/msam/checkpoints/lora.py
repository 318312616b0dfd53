"""Folding LoRA into the weights it adapts (parity fact 5; LoRA: arXiv 2106.09685)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from msam.checkpoints.wording import first_few
from msam.errors import CheckpointError

_TERMS = ("linear_a_q", "linear_b_q", "linear_a_v", "linear_b_v")


def fold_lora(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same network without LoRA: B_q A_q added to the query rows of every `qkv.weight`, B_v A_v to its value rows.

    Args:
        state_dict: our tensor names; `qkv.weight` is `(3 C, C)` with the query, key and value rows in that order,
            `linear_a_*` `(r, C)`, `linear_b_*` `(C, r)`. Nothing in it is changed.

    Raises:
        CheckpointError: a LoRA layer lacks one of its tensors.
    """
    layers = sorted({name.rsplit(".", 2)[0] for name in state_dict if _is_lora(name)})
    needed = [f"{layer}.{part}.weight" for layer in layers for part in _TERMS] + [f"{layer}.weight" for layer in layers]
    missing = [name for name in needed if name not in state_dict]
    if missing:
        raise CheckpointError(f"The checkpoint's LoRA layers miss tensors: {first_few(missing)}. Get the file anew.")

    folded = {name: tensor for name, tensor in state_dict.items() if not _is_lora(name)}
    for layer in layers:
        # In double precision, so that folding rounds once, as the weights themselves were.
        a_q, b_q, a_v, b_v = (state_dict[f"{layer}.{part}.weight"].double() for part in _TERMS)
        weight = state_dict[f"{layer}.weight"]
        width = weight.shape[1]
        total = weight.to(torch.float64, copy=True)
        total[:width] += b_q @ a_q
        total[2 * width :] += b_v @ a_v
        folded[f"{layer}.weight"] = total.to(weight.dtype)
    return folded


def _is_lora(name: str) -> bool:
    return name.endswith(".weight") and name.removesuffix(".weight").rsplit(".", 1)[-1] in _TERMS
