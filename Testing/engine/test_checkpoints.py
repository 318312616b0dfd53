"""Checkpoints of every kind are read alike, written whole, and folded without changing the network."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from checkpoint_files import (
    TINY_MSAM,
    TINY_SAM_MED3D,
    as_msam_training,
    random_weights,
    sam_med3d_file,
    same,
    training_file,
)
from torch.nn import functional as F

from msam.checkpoints.config_text import config_from_text, config_to_text
from msam.checkpoints.header import read_header
from msam.checkpoints.lora import fold_lora
from msam.checkpoints.naming import is_msam_training, rename_published
from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.sizes import infer_config
from msam.checkpoints.skeleton import skeleton
from msam.checkpoints.validation import check_shapes
from msam.checkpoints.writing import convert, write_checkpoint
from msam.config import VIT_B_MSAM, VIT_B_SAM_MED3D, ModelConfig
from msam.errors import CheckpointError
from msam.model.network import MSAM


@pytest.fixture
def msam_weights() -> dict[str, torch.Tensor]:
    return random_weights(TINY_MSAM)


@pytest.fixture
def sam_med3d_weights() -> dict[str, torch.Tensor]:
    return random_weights(TINY_SAM_MED3D)


@pytest.mark.parametrize(
    ("keys_file", "expected"), [("msam_keys.json", VIT_B_MSAM), ("sammed3d_keys.json", VIT_B_SAM_MED3D)]
)
def test_every_published_tensor_has_its_place_in_the_network(
    shared: Path, keys_file: str, expected: ModelConfig
) -> None:
    published = json.loads((shared / "parity" / keys_file).read_text())
    renamed = rename_published(published)
    shapes = {ours: tuple(published[theirs]) for theirs, ours in renamed.items()}
    config = infer_config(shapes, msam=is_msam_training(published))
    assert config == expected
    check_shapes(shapes, config)
    assert sorted(set(published) - set(renamed)) == (
        ["bidatt.add_norm4.bias", "bidatt.add_norm4.weight"] if expected.adapter else []
    )


def test_a_sam_med3d_file_is_read(tmp_path: Path, sam_med3d_weights: dict[str, torch.Tensor]) -> None:
    checkpoint = read_checkpoint(sam_med3d_file(tmp_path / "a.pth", sam_med3d_weights))
    assert checkpoint.config == TINY_SAM_MED3D
    assert same(checkpoint.state_dict, sam_med3d_weights)


def test_a_bare_state_dict_is_read(tmp_path: Path, sam_med3d_weights: dict[str, torch.Tensor]) -> None:
    torch.save(sam_med3d_weights, tmp_path / "bare.pth")
    assert same(read_checkpoint(tmp_path / "bare.pth").state_dict, sam_med3d_weights)


def test_a_training_file_is_read_with_all_that_lies_beside_the_weights(
    tmp_path: Path, msam_weights: dict[str, torch.Tensor]
) -> None:
    checkpoint = read_checkpoint(training_file(tmp_path / "a.pth", as_msam_training(msam_weights)))
    assert checkpoint.config == TINY_MSAM
    assert same(checkpoint.state_dict, msam_weights)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda name: f"module.{name}",
        lambda name: name.replace("lora_sam.sam.", "lora_sam.sam.module.").replace("bidatt.", "bidatt.module."),
        lambda name: name.replace("lora_sam.", "lora_sam.module.", 1),
    ],
)
def test_the_wrappers_of_training_on_several_gpus_are_seen_through(
    tmp_path: Path, msam_weights: dict[str, torch.Tensor], wrap: object
) -> None:
    assert callable(wrap)
    named = {wrap(name): tensor for name, tensor in as_msam_training(msam_weights).items()}
    checkpoint = read_checkpoint(training_file(tmp_path / "a.pth", named))
    assert same(checkpoint.state_dict, msam_weights)


def test_a_training_file_without_lora_is_read(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY_MSAM, lora_rank=0)
    weights = random_weights(config)
    assert read_checkpoint(training_file(tmp_path / "a.pth", as_msam_training(weights))).config == config


def test_a_tensor_stored_twice_is_refused(tmp_path: Path, msam_weights: dict[str, torch.Tensor]) -> None:
    named = as_msam_training(msam_weights)
    named["module.bidatt.mlp.lin1.bias"] = named["bidatt.mlp.lin1.bias"]
    with pytest.raises(CheckpointError, match=r"twice.*module\.bidatt\.mlp\.lin1\.bias"):
        read_checkpoint(training_file(tmp_path / "a.pth", named))


def test_what_was_read_outlives_its_file(tmp_path: Path, sam_med3d_weights: dict[str, torch.Tensor]) -> None:
    path = sam_med3d_file(tmp_path / "a.pth", sam_med3d_weights)
    checkpoint = read_checkpoint(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert same(checkpoint.state_dict, sam_med3d_weights)


def test_half_precision_is_read_as_single(tmp_path: Path, sam_med3d_weights: dict[str, torch.Tensor]) -> None:
    halves = {name: tensor.half() for name, tensor in sam_med3d_weights.items()}
    checkpoint = read_checkpoint(sam_med3d_file(tmp_path / "a.pth", halves))
    assert same(checkpoint.state_dict, {name: tensor.float() for name, tensor in halves.items()})


def test_written_and_read_again_everything_is_the_same(tmp_path: Path, msam_weights: dict[str, torch.Tensor]) -> None:
    texts = {"attribution": "Nobody", "licence": "Apache-2.0", "description": "random numbers"}
    write_checkpoint(tmp_path / "a.safetensors", msam_weights, TINY_MSAM, texts)
    checkpoint = read_checkpoint(tmp_path / "a.safetensors")
    assert (checkpoint.config, checkpoint.metadata) == (TINY_MSAM, texts)
    assert same(checkpoint.state_dict, msam_weights)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_stored_as_half_precision_a_file_is_half_as_large(
    tmp_path: Path, msam_weights: dict[str, torch.Tensor]
) -> None:
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    write_checkpoint(full, msam_weights, TINY_MSAM, {})
    write_checkpoint(half, msam_weights, TINY_MSAM, {}, dtype=torch.float16)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    found = read_checkpoint(half).state_dict
    assert same(found, {name: tensor.half().float() for name, tensor in msam_weights.items()})


def test_numbers_too_large_for_half_precision_are_not_stored_so(
    tmp_path: Path, msam_weights: dict[str, torch.Tensor]
) -> None:
    msam_weights["adapter.mlp.lin1.bias"][0] = 1e6
    with pytest.raises(CheckpointError, match=r"adapter\.mlp\.lin1\.bias are too large"):
        write_checkpoint(tmp_path / "a.safetensors", msam_weights, TINY_MSAM, {}, dtype=torch.float16)


def test_a_failing_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, msam_weights: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, msam_weights, TINY_MSAM, {"description": "old"})

    def full_disk(tensors: object, file: Path, texts: object) -> None:
        file.write_bytes(b"half of i")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("msam.checkpoints.writing.save_file", full_disk)
    with pytest.raises(CheckpointError, match="No space left"):
        write_checkpoint(path, msam_weights, TINY_MSAM, {"description": "new"})
    assert read_header(path).metadata == {"description": "old"}
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_an_incomplete_network_is_not_written(tmp_path: Path, msam_weights: dict[str, torch.Tensor]) -> None:
    del msam_weights["adapter.mlp.lin1.bias"]
    with pytest.raises(CheckpointError, match=r"misses adapter\.mlp\.lin1\.bias"):
        write_checkpoint(tmp_path / "a.safetensors", msam_weights, TINY_MSAM, {})
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_written_file_tells_its_kind(tmp_path: Path, msam_weights: dict[str, torch.Tensor]) -> None:
    with pytest.raises(CheckpointError, match="safetensors"):
        write_checkpoint(tmp_path / "a.pth", msam_weights, TINY_MSAM, {})


def test_converting_keeps_the_network(tmp_path: Path, msam_weights: dict[str, torch.Tensor]) -> None:
    source = training_file(tmp_path / "a.pth", as_msam_training(msam_weights))
    convert(source, tmp_path / "b.safetensors")
    checkpoint = read_checkpoint(tmp_path / "b.safetensors")
    assert checkpoint.config == TINY_MSAM
    assert same(checkpoint.state_dict, msam_weights)


def test_a_file_is_not_converted_onto_itself(tmp_path: Path, msam_weights: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, msam_weights, TINY_MSAM, {})
    with pytest.raises(CheckpointError, match="onto itself"):
        convert(path, path)


def test_a_stem_and_click_relative_regions_survive_the_metadata() -> None:
    config = dataclasses.replace(
        TINY_MSAM,
        stem_channels=(8, 16),
        intensity_windows=(0.5, 2.0),
        spacings=(1.0, 2.5),
        normalisation="click",
        dense_clicks=True,
    )
    assert config_from_text(config_to_text(config)) == config


def test_folded_lora_projects_as_the_low_rank_terms_do(msam_weights: dict[str, torch.Tensor]) -> None:
    before = {name: tensor.clone() for name, tensor in msam_weights.items()}
    folded = fold_lora(msam_weights)
    assert same(msam_weights, before)
    assert not [name for name in folded if "linear_" in name]

    x = torch.randn(5, TINY_MSAM.embed_dim, generator=torch.Generator().manual_seed(1))
    for block in range(TINY_MSAM.depth):
        layer = f"image_encoder.blocks.{block}.attn.qkv"
        low_rank = {
            part: F.linear(
                F.linear(x, msam_weights[f"{layer}.linear_a_{part}.weight"]),
                msam_weights[f"{layer}.linear_b_{part}.weight"],
            )
            for part in ("q", "v")
        }
        query, key, value = F.linear(x, msam_weights[f"{layer}.weight"]).chunk(3, dim=-1)
        expected = torch.cat((query + low_rank["q"], key, value + low_rank["v"]), dim=-1)
        torch.testing.assert_close(F.linear(x, folded[f"{layer}.weight"]), expected, rtol=1e-4, atol=1e-4)


def test_a_folded_network_encodes_as_the_network_with_lora(msam_weights: dict[str, torch.Tensor]) -> None:
    adapted, folded = MSAM(TINY_MSAM).eval(), MSAM(dataclasses.replace(TINY_MSAM, lora_rank=0)).eval()
    small = {name: 0.1 * tensor for name, tensor in msam_weights.items()}
    adapted.load_state_dict(small)
    folded.load_state_dict(fold_lora(small))
    roi = torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(folded.encode(roi).embedding, adapted.encode(roi).embedding, rtol=1e-4, atol=1e-5)


def test_folding_a_network_without_lora_changes_nothing(sam_med3d_weights: dict[str, torch.Tensor]) -> None:
    assert same(fold_lora(sam_med3d_weights), sam_med3d_weights)


def test_large_but_finite_numbers_are_not_taken_for_infinite(
    tmp_path: Path, sam_med3d_weights: dict[str, torch.Tensor]
) -> None:
    """Their sum overflows; they do not."""
    sam_med3d_weights["image_encoder.neck.3.bias"].fill_(3e38)
    path = sam_med3d_file(tmp_path / "a.pth", sam_med3d_weights)
    assert same(read_checkpoint(path).state_dict, sam_med3d_weights)


def test_a_skeleton_has_the_structure_of_the_network_and_none_of_its_memory() -> None:
    config = dataclasses.replace(TINY_MSAM, stem_channels=(8, 16), intensity_windows=(1.0,), dense_clicks=True)
    found, expected = skeleton(config).state_dict(), MSAM(config).state_dict()
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tensor.shape for name, tensor in expected.items()
    }
    assert all(tensor.is_meta for tensor in found.values())


def test_half_a_lora_layer_is_refused(msam_weights: dict[str, torch.Tensor]) -> None:
    del msam_weights["image_encoder.blocks.1.attn.qkv.linear_b_v.weight"]
    with pytest.raises(CheckpointError, match=r"blocks\.1\.attn\.qkv\.linear_b_v"):
        fold_lora(msam_weights)
