"""The configuration of a network, told from the shapes of its tensors.

Published files do not state their sizes. Everything a network is built from can be read from shapes, apart from what
leaves no trace in them and is taken as published: the heads of the mask decoder (8), the spacing of the scans, the
normalisation, and which clicks a step sees.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msam.config import VIT_B_MSAM, VIT_B_SAM_MED3D, ModelConfig
from msam.errors import CheckpointError, ConfigError

Shapes = Mapping[str, Sequence[int]]

_BLOCKS = "image_encoder.blocks."
_LAYERS = "mask_decoder.transformer.layers."
_ADAPTER_TABLE = "adapter.multi_head_self_attention.rel_pos_d"


def infer_config(shapes: Shapes, *, msam: bool) -> ModelConfig:
    """The configuration that gives tensors of these shapes.

    Args:
        shapes: our tensor names and their shapes.
        msam: whether the file comes from M-SAM's training; else from SAM-Med3D's.

    Raises:
        CheckpointError: a tensor that tells a size is missing, or the shapes contradict one another.
    """
    base = VIT_B_MSAM if msam else VIT_B_SAM_MED3D
    try:
        return dataclasses.replace(base, **_image_encoder(shapes), **_decoder(shapes), **_adapter(shapes))
    except ConfigError as error:
        raise CheckpointError(f"The checkpoint's tensors do not make a network. {error}") from error


def _image_encoder(shapes: Shapes) -> dict[str, Any]:
    _, *grid, width = _shape(shapes, "image_encoder.pos_embed", 5)
    _, _, *patch = _shape(shapes, "image_encoder.patch_embed.proj.weight", 5)
    if len(set(grid)) != 1 or len(set(patch)) != 1:
        raise CheckpointError(
            f"The checkpoint's token grid {tuple(grid)} or its patch {tuple(patch)} is not a cube: "
            "this program runs networks that see cubic regions only."
        )
    depth = _count(shapes, _BLOCKS)
    hidden, _ = _shape(shapes, f"{_BLOCKS}0.mlp.lin1.weight", 2)
    _, head_width = _shape(shapes, f"{_BLOCKS}0.attn.rel_pos_d", 2)
    lora = f"{_BLOCKS}0.attn.qkv.linear_a_q.weight"
    return {
        "roi_size": grid[0] * patch[0],
        "patch_size": patch[0],
        "embed_dim": width,
        "depth": depth,
        "num_heads": _heads(width, head_width, "image encoder"),
        "mlp_ratio": hidden / width,
        "lora_rank": _shape(shapes, lora, 2)[0] if lora in shapes else 0,
        "out_channels": _shape(shapes, "image_encoder.neck.0.weight", 5)[0],
        **_windows(shapes, depth, grid[0]),
    }


def _windows(shapes: Shapes, depth: int, grid: int) -> dict[str, Any]:
    """Which blocks attend globally, and the window of the others: a table for size s has 2 s - 1 rows."""
    sizes = [(_shape(shapes, f"{_BLOCKS}{block}.attn.rel_pos_d", 2)[0] + 1) // 2 for block in range(depth)]
    windows = set(sizes) - {grid}
    if len(windows) > 1:
        raise CheckpointError(
            f"The checkpoint's blocks attend in windows of different sizes {sorted(windows)}: "
            "this program runs networks with one window size only."
        )
    found: dict[str, Any] = {"global_blocks": tuple(block for block in range(depth) if sizes[block] == grid)}
    if windows:
        found["window_size"] = windows.pop()
    return found


def _decoder(shapes: Shapes) -> dict[str, Any]:
    return {
        "mask_channels": _shape(shapes, "prompt_encoder.mask_downscaling.3.weight", 5)[0],
        "decoder_depth": _count(shapes, _LAYERS),
        "decoder_mlp_dim": _shape(shapes, f"{_LAYERS}0.mlp.lin1.weight", 2)[0],
        "upscale_channels": (
            _shape(shapes, "mask_decoder.output_upscaling.0.weight", 5)[1],
            _shape(shapes, "mask_decoder.output_upscaling.3.weight", 5)[1],
        ),
        "mask_tokens": _shape(shapes, "mask_decoder.mask_tokens.weight", 2)[0],
        "quality_hidden_dim": _shape(shapes, "mask_decoder.iou_prediction_head.layers.0.weight", 2)[0],
    }


def _adapter(shapes: Shapes) -> dict[str, Any]:
    if not any(name.startswith("adapter.") for name in shapes):
        return {"adapter": False}
    channels = _shape(shapes, "image_encoder.neck.0.weight", 5)[0]
    head_width = _shape(shapes, _ADAPTER_TABLE, 2)[1]
    return {"adapter": True, "adapter_heads": _heads(channels, head_width, "Mask-Enhanced Adapter")}


def _heads(width: int, head_width: int, part: str) -> int:
    if width % head_width:
        raise CheckpointError(
            f"The checkpoint's {part} has {width} channels, which heads of width {head_width} do not divide: "
            "its relative position tables belong to another network."
        )
    return width // head_width


def _count(shapes: Shapes, prefix: str) -> int:
    """How many numbered parts there are under `prefix`, from 0 on without a gap."""
    pattern = re.compile(re.escape(prefix) + r"(\d{1,4})\.")
    numbers = {int(match.group(1)) for match in map(pattern.match, shapes) if match}
    missing = sorted(set(range(max(numbers, default=0) + 1)) - numbers)
    if missing:
        raise CheckpointError(
            f"The checkpoint misses every tensor of {prefix}{missing[0]}: it is incomplete; get the file anew."
        )
    return len(numbers)


def _shape(shapes: Shapes, name: str, axes: int) -> tuple[int, ...]:
    """The shape of the tensor that tells a size."""
    if name not in shapes:
        raise CheckpointError(
            f"The checkpoint misses the tensor {name}, which tells the size of the network: "
            "it is incomplete, or belongs to another architecture than M-SAM or SAM-Med3D."
        )
    shape = tuple(shapes[name])
    if len(shape) != axes or 0 in shape:
        raise CheckpointError(
            f"The checkpoint's tensor {name} has the shape {shape} where {axes} axes are expected: "
            "it belongs to another architecture than M-SAM or SAM-Med3D (a two-dimensional SAM, perhaps)."
        )
    return shape
