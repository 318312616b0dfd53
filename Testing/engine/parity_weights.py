"""Deterministic weights and inputs of the parity cases: every tensor is a function of its name.

The recipe belongs to the cases (`Testing/data/parity/expected.npz` was computed with it); a test compares it with the
original where that is at hand.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def published_tensor(name: str, shape: list[int]) -> Tensor:
    """The tensor of that name, float32."""
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    leaf = name.split(".")[-1]
    if leaf == "positional_encoding_gaussian_matrix":
        scaled = values
    elif "rel_pos" in leaf or "pos_embed" in leaf:
        scaled = 0.05 * values
    elif len(shape) == 1:
        scaled = 0.1 * values + (1.0 if leaf == "weight" else 0.0)
    elif "token" in name or "embed." in name or "point_embeddings" in name:
        scaled = 0.5 * values
    else:
        inputs = shape[0] if "output_upscaling" in name else math.prod(shape[1:])
        scaled = values / math.sqrt(inputs)
    return torch.from_numpy(np.asarray(scaled, dtype=np.float32))


def published_weights(keys: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint, under their published names."""
    return {name: published_tensor(name, shape) for name, shape in json.loads(keys.read_text()).items()}


def well_conditioned(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with the decoder's cross attentions scaled as a trained network's are.

    The recipe's rule for tokens ("token" in the name) also catches `cross_attn_token_to_image`, whose weights come out
    ten times too large: attention logits deviate by about 150, every softmax picks one winner, and rounding decides
    which.
    """
    return {
        name: tensor * 2 / math.sqrt(tensor.shape[1])
        if "attn" in name and "token" in name and tensor.ndim == 2
        else tensor
        for name, tensor in weights.items()
    }


def image(seed: int) -> Tensor:
    """The input of a case, `(1, 1, 128, 128, 128)`."""
    random = np.random.default_rng(seed)
    coarse = random.standard_normal((16, 16, 16)).repeat(8, 0).repeat(8, 1).repeat(8, 2)
    return torch.from_numpy((coarse + 0.3 * random.standard_normal((128, 128, 128))).astype(np.float32)[None, None])
