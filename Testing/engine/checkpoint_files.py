"""Small checkpoints in every known kind of file, for the tests."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from msam.config import ModelConfig
from msam.model.network import MSAM

TINY_MSAM = ModelConfig(
    name="m-sam",
    roi_size=32,
    patch_size=16,
    embed_dim=48,
    depth=3,
    num_heads=4,
    mlp_ratio=2.0,
    window_size=3,
    global_blocks=(1,),
    out_channels=48,
    lora_rank=2,
    mask_channels=8,
    adapter_heads=4,
    decoder_depth=1,
    decoder_mlp_dim=24,
    upscale_channels=(12, 6),
    mask_tokens=2,
    quality_hidden_dim=16,
)
TINY_SAM_MED3D = ModelConfig(
    name="sam-med3d",
    roi_size=32,
    patch_size=16,
    embed_dim=48,
    depth=2,
    num_heads=3,
    window_size=5,
    global_blocks=(0,),
    out_channels=48,
    adapter=False,
    decoder_mlp_dim=24,
    spacings=(1.5,),
    clicks_per_step="all",
)


def random_weights(config: ModelConfig, seed: int = 0) -> dict[str, Tensor]:
    """Weights of a network of `config`, every tensor random (so that no two are alike)."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: tensor.shape for name, tensor in MSAM(config).state_dict().items()}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def published_name(name: str) -> str:
    """The name that M-SAM's training gives to our tensor `name`."""
    if name.startswith("adapter.mutual_enhancement."):
        return "bidatt.bidirectional_attentions.0." + name[len("adapter.mutual_enhancement.") :]
    if name.startswith("adapter."):
        return "bidatt." + name[len("adapter.") :]
    for kind in ("weight", "bias"):
        if name.startswith("image_encoder.") and name.endswith(f".attn.qkv.{kind}"):
            name = name[: -len(kind)] + f"qkv.{kind}"
    return "lora_sam.sam." + name


def as_msam_training(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names of M-SAM's training, with the layer that the published code never uses."""
    unused = torch.ones(weights["adapter.add_norm.weight"].shape)
    named = {published_name(name): tensor for name, tensor in weights.items()}
    return {**named, "bidatt.add_norm4.weight": unused, "bidatt.add_norm4.bias": unused}


def training_file(path: Path, named: dict[str, Tensor]) -> Path:
    """A training file with everything that the published script saves beside the weights."""
    parameters = [torch.nn.Parameter(torch.ones(3))]
    optimiser = torch.optim.AdamW(parameters)
    parameters[0].grad = torch.ones(3)
    optimiser.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [120, 180])
    torch.save(
        {
            "epoch": 7,
            "model_state_dict": named,
            "optimizer_state_dict": optimiser.state_dict(),
            "lr_scheduler_state_dict": schedule.state_dict(),
            "losses": [0.7, 0.5],
            "dices": [0.0, 0.4],
            "best_loss": float("inf"),
            "best_dice": 0.4,
            "args": argparse.Namespace(task_name="union", gpu_ids=[0, 1], lr=8e-4, multi_gpu=False, resume=None),
            "used_datas": ["liver", "lung"],
        },
        path,
    )
    return path


def sam_med3d_file(path: Path, weights: dict[str, Tensor]) -> Path:
    """A file as SAM-Med3D publishes it."""
    torch.save({"model_state_dict": weights}, path)
    return path


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Whether two state dicts hold the very same tensors."""
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def forge(path: Path, change: Any) -> Path:
    """Let `change` edit the JSON head of a safetensors file."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + length])
    change(head)
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    return path
