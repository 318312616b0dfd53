"""Checkpoints in eight bits: how far off their weights are, and that scales which do not fit are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import TINY_MSAM, forge, random_weights
from safetensors import safe_open
from safetensors.torch import save_file

from msam.checkpoints.eight_bit import LEAST_NUMBERS
from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.writing import write_checkpoint
from msam.errors import CheckpointError


@pytest.fixture
def in_eight_bits(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    write_checkpoint(path, random_weights(TINY_MSAM), TINY_MSAM, {}, torch.int8)
    return path


def a_scale(head: dict[str, Any]) -> str:
    return next(name for name in head if name.endswith(".int8_scale"))


def refused(path: Path, match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        read_checkpoint(path)


def read_parts(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118 - no mapping


def test_in_eight_bits_a_weight_is_off_by_half_a_step_of_its_channel_at_most(tmp_path: Path) -> None:
    weights = random_weights(TINY_MSAM)
    for tensor in weights.values():
        if tensor.numel() >= LEAST_NUMBERS:
            tensor *= torch.logspace(-6, 3, len(tensor)).reshape(-1, *[1] * (tensor.ndim - 1))  # unlike channels
            tensor[0] = 0.0
    full, small = tmp_path / "full.safetensors", tmp_path / "small.safetensors"
    write_checkpoint(full, weights, TINY_MSAM, {})
    write_checkpoint(small, weights, TINY_MSAM, {"licence": "CC BY 4.0"}, dtype=torch.int8)
    assert small.stat().st_size < 0.5 * full.stat().st_size
    checkpoint = read_checkpoint(small)
    assert (checkpoint.config, checkpoint.metadata) == (TINY_MSAM, {"licence": "CC BY 4.0"})
    in_eight_bits = 0
    for name, tensor in weights.items():
        found = checkpoint.state_dict[name]
        assert found.dtype == torch.float32
        if tensor.ndim < 2 or tensor.numel() < LEAST_NUMBERS:
            assert torch.equal(found, tensor.half().float())
            continue
        in_eight_bits += 1
        for channel, kept in zip(tensor, found, strict=True):
            assert (channel - kept).abs().max() <= 0.501 / 127 * channel.abs().max()
    assert in_eight_bits


def test_eight_bits_without_their_scale(in_eight_bits: Path) -> None:
    def change(head: dict[str, Any]) -> None:
        name = a_scale(head)
        head[name.replace("int8", "other")] = head.pop(name)

    refused(forge(in_eight_bits, change), "that the network does not: .*other_scale")


def test_a_scale_of_another_tensor(in_eight_bits: Path) -> None:
    def change(head: dict[str, Any]) -> None:
        head["adapter.mlp.lin1.bias.int8_scale"] = head.pop(a_scale(head))

    refused(forge(in_eight_bits, change), r"scales do not fit its tensors \(.*adapter\.mlp\.lin1\.bias")


def test_a_scale_of_another_length(in_eight_bits: Path) -> None:
    def change(head: dict[str, Any]) -> None:
        entry = head[a_scale(head)]
        entry["shape"] = [1, *entry["shape"]]

    refused(forge(in_eight_bits, change), "scales do not fit its tensors")


def test_a_scale_of_no_tensor(in_eight_bits: Path) -> None:
    content = read_parts(in_eight_bits)
    save_file({**content[0], "nothing.int8_scale": torch.ones(3)}, in_eight_bits, content[1])
    refused(in_eight_bits, "scales do not fit its tensors: get")


def test_a_scale_that_is_not_finite(in_eight_bits: Path) -> None:
    tensors, texts = read_parts(in_eight_bits)
    tensors[a_scale(tensors)][0] = float("nan")
    save_file(tensors, in_eight_bits, texts)
    refused(in_eight_bits, "not finite")
