"""Files that are damaged, forged or of another kind are refused in words, before they can do harm."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_files import (
    TINY_MSAM,
    TINY_SAM_MED3D,
    as_msam_training,
    forge,
    random_weights,
    sam_med3d_file,
    training_file,
)

from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.writing import write_checkpoint
from msam.errors import CheckpointError


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return random_weights(TINY_SAM_MED3D)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, random_weights(TINY_MSAM), TINY_MSAM, {})
    return path


def refused(path: Path, match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        read_checkpoint(path)


# Files that are no checkpoints


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.pth", "There is no checkpoint at")


def test_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, "cannot be read|is not a file")


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"\x1f\x8b\x08" + b"\0" * 50])
def test_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    refused(tmp_path / "a.pth", "is not a checkpoint")


def test_a_bare_pickle_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(pickle.dumps(Command(tmp_path / "harmed"), protocol=2))
    refused(tmp_path / "a.pth", "is a pickle")
    assert not (tmp_path / "harmed").exists()


def test_the_format_from_before_the_zip_archives(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    torch.save(weights, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    refused(tmp_path / "a.pth", r"before PyTorch 1\.6")


def test_another_zip_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("letter.txt", "hello")
    refused(tmp_path / "a.pth", "not a PyTorch checkpoint")


def test_a_file_beyond_any_checkpoint_s_size(tmp_path: Path) -> None:
    with (tmp_path / "a.pth").open("wb") as handle:
        handle.write(b"PK\x03\x04")
        handle.truncate(9 * 2**30)  # sparse: it takes no room
    refused(tmp_path / "a.pth", "more than any this program knows")


# Forged pickles


class Command:
    """A pickle of this leaves a file behind when it is loaded without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch '{self.trace}'",)


def test_a_command_hidden_among_the_weights_is_not_run(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    trace = tmp_path / "harmed"
    torch.save({"model_state_dict": weights, "args": Command(trace)}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", r"asks to load (posix|nt)\.system")
    assert not trace.exists()


def test_the_forged_file_would_have_worked(tmp_path: Path) -> None:
    """The test above proves something only if the payload is alive."""
    trace = tmp_path / "harmed"
    pickle.loads(pickle.dumps(Command(trace), protocol=2))
    assert trace.exists()


def test_numpy_objects_are_refused_by_name(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    torch.save({"model_state_dict": weights, "losses": [np.float64(0.5)]}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", r"numpy.*multiarray\.scalar")


def test_a_request_for_memory_is_refused(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    class Greedy:
        def __reduce__(self) -> tuple[Any, tuple[int]]:
            return bytearray, (2**50,)

    torch.save({"model_state_dict": weights, "args": Greedy()}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "bytearray")


def rebuilt(shape: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """Pickled, a tensor of `shape` that claims more than the four numbers it stores."""
    typed_storage: Any = torch.TypedStorage  # torch leaves it untyped
    storage = typed_storage([1.0, 2.0, 3.0, 4.0], dtype=torch.float32, _internal=True)

    class Forged:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return torch._utils._rebuild_tensor_v2, (storage, 0, shape, stride, False, collections.OrderedDict())

    return Forged()


def test_a_tensor_larger_than_what_is_stored(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    forged = {**weights, "image_encoder.neck.1.weight": rebuilt((2**40,), (1,))}
    torch.save({"model_state_dict": forged}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "is damaged")


def test_a_tensor_that_repeats_what_is_stored(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    forged = {**weights, "image_encoder.neck.1.weight": rebuilt((2**20, 2**20), (0, 0))}
    torch.save({"model_state_dict": forged}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "claims tensors larger than the file")


# Damaged archives


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_truncated_archive(tmp_path: Path, weights: dict[str, torch.Tensor], kept: float) -> None:
    path = sam_med3d_file(tmp_path / "a.pth", weights)
    os.truncate(path, int(kept * path.stat().st_size))
    refused(path, "truncated or damaged")


def test_a_compressed_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 10_000_000)
    refused(tmp_path / "a.pth", "claims contents larger than the file")


def test_an_archive_that_claims_more_than_it_has(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    path = sam_med3d_file(tmp_path / "a.pth", weights)
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = struct.pack("<II", 2**31, 2**31)  # compressed and plain size
    path.write_bytes(content)
    refused(path, "claims contents larger than the file|truncated or damaged")


def test_a_damaged_index(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    path = sam_med3d_file(tmp_path / "a.pth", weights)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content[:200] if name.endswith("data.pkl") else content)
    refused(path, "damaged")


# Weights that are not those of a network


def test_a_file_without_weights(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "holds no weights")


def test_things_that_are_not_tensors(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    torch.save({"model_state_dict": {**weights, "epoch": 3}}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "not tensors: epoch")


def test_missing_tensors_are_named_and_counted(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    kept = {
        name: tensor for name, tensor in weights.items() if not name.startswith("mask_decoder.transformer.layers.1.mlp")
    }
    kept = {name: tensor for name, tensor in kept.items() if ".norm1.bias" not in name}
    lost = len(weights) - len(kept)
    refused(
        sam_med3d_file(tmp_path / "a.pth", kept),
        rf"misses image_encoder\.blocks\.0\.norm1\.bias, .* and {lost - 4} more",
    )


def test_a_missing_block(tmp_path: Path) -> None:
    weights = random_weights(TINY_MSAM)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("image_encoder.blocks.1.")}
    refused(training_file(tmp_path / "a.pth", as_msam_training(kept)), r"image_encoder\.blocks\.1")


def test_a_missing_tensor_that_tells_the_size(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    del weights["image_encoder.pos_embed"]
    refused(sam_med3d_file(tmp_path / "a.pth", weights), r"misses the tensor image_encoder\.pos_embed")


def test_extra_tensors(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    weights["text_encoder.weight"] = torch.ones(2)
    refused(sam_med3d_file(tmp_path / "a.pth", weights), r"that the network does not: text_encoder\.weight")


def test_wrong_shapes(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    weights["image_encoder.neck.3.bias"] = torch.ones(7)
    refused(sam_med3d_file(tmp_path / "a.pth", weights), r"image_encoder\.neck\.3\.bias is 7 instead of 48")


def test_a_two_dimensional_sam(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    weights["image_encoder.pos_embed"] = torch.ones(1, 64, 64, 48)
    refused(sam_med3d_file(tmp_path / "a.pth", weights), "two-dimensional SAM")


def test_windows_of_several_sizes(tmp_path: Path) -> None:
    weights = random_weights(TINY_MSAM)
    weights["image_encoder.blocks.2.attn.rel_pos_d"] = torch.ones(13, 12)
    refused(training_file(tmp_path / "a.pth", as_msam_training(weights)), r"different sizes \[3, 7\]")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(tmp_path: Path, weights: dict[str, torch.Tensor], number: float) -> None:
    weights["image_encoder.neck.3.bias"][5] = number
    refused(sam_med3d_file(tmp_path / "a.pth", weights), r"not finite in image_encoder\.neck\.3\.bias")


@pytest.mark.parametrize(
    "tensor", [torch.ones(48, dtype=torch.int64), torch.ones(48, dtype=torch.complex64), torch.ones(48) > 0]
)
def test_numbers_that_are_not_floating_point(
    tmp_path: Path, weights: dict[str, torch.Tensor], tensor: torch.Tensor
) -> None:
    weights["image_encoder.neck.3.bias"] = tensor
    refused(sam_med3d_file(tmp_path / "a.pth", weights), r"image_encoder\.neck\.3\.bias|ComplexFloatStorage")


# Forged safetensors


def with_config(**changes: Any) -> Any:
    def change(head: dict[str, Any]) -> None:
        values = {**dataclasses.asdict(TINY_MSAM), **changes}
        head["__metadata__"]["msam_config"] = json.dumps(values)

    return change


@pytest.mark.parametrize("length", [2**63, 2**40, 2**24 + 1])
def test_an_absurd_length_of_the_head(ours: Path, length: int) -> None:
    content = ours.read_bytes()
    ours.write_bytes(length.to_bytes(8, "little") + content[8:])
    refused(ours, "truncated or damaged")


@pytest.mark.parametrize("kept", [0.001, 0.5, 0.9999])
def test_truncated_safetensors(ours: Path, kept: float) -> None:
    os.truncate(ours, int(kept * ours.stat().st_size))
    refused(ours, "truncated|not a checkpoint")


def test_safetensors_with_bytes_to_spare(ours: Path) -> None:
    with ours.open("ab") as handle:
        handle.write(b"\0" * 64)
    refused(ours, "truncated or damaged")


def test_a_head_that_is_not_json(ours: Path) -> None:
    content = bytearray(ours.read_bytes())
    content[9:12] = b"\xff\xfe}"
    ours.write_bytes(content)
    refused(ours, "damaged")


def test_a_tensor_that_claims_an_absurd_size(ours: Path) -> None:
    def change(head: dict[str, Any]) -> None:
        head["adapter.mlp.lin1.bias"]["shape"] = [2**60]

    refused(forge(ours, change), r"adapter\.mlp\.lin1\.bias claims a size")


def test_a_tensor_beyond_the_end_of_the_file(ours: Path) -> None:
    def change(head: dict[str, Any]) -> None:
        head["adapter.mlp.lin1.bias"].update(shape=[2**40], data_offsets=[0, 2**42])

    refused(forge(ours, change), r"adapter\.mlp\.lin1\.bias claims a size")


@pytest.mark.parametrize("entry", [None, [], {}, {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}])
def test_a_tensor_described_wrongly(ours: Path, entry: Any) -> None:
    def change(head: dict[str, Any]) -> None:
        head["adapter.mlp.lin1.bias"] = entry

    refused(forge(ours, change), r"describes the tensor adapter\.mlp\.lin1\.bias wrongly")


def test_whole_numbers_as_weights(ours: Path) -> None:
    def change(head: dict[str, Any]) -> None:
        head["adapter.mlp.lin1.bias"]["dtype"] = "I32"

    refused(forge(ours, change), r"adapter\.mlp\.lin1\.bias is of type I32")


def test_safetensors_of_another_program(ours: Path) -> None:
    refused(forge(ours, lambda head: head.pop("__metadata__")), "of another program")


def test_safetensors_of_a_later_version(ours: Path) -> None:
    refused(forge(ours, lambda head: head["__metadata__"].update(msam_format="9")), "update this program")


def test_a_configuration_from_the_future(ours: Path) -> None:
    refused(forge(ours, with_config(warp_factor=9)), "warp_factor")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("depth", 10**9),
        ("depth", 257),
        ("depth", "3"),
        ("stem_depths", [1, 257]),
        ("patch_size", 0),
        ("roi_size", -32),
        ("embed_dim", 48.0),
        ("adapter", 1),
        ("mlp_ratio", float("nan")),
        ("upscale_channels", [12, 6, 3]),
        ("global_blocks", [0.5]),
        ("spacings", ["1.5"]),
        ("normalisation", "by magic"),
    ],
)
def test_an_impossible_configuration(ours: Path, field: str, value: Any) -> None:
    refused(forge(ours, with_config(**{field: value})), f"impossible value for '{field}'")


def test_a_configuration_that_contradicts_itself(ours: Path) -> None:
    refused(forge(ours, with_config(num_heads=5)), "multiple of num_heads")


def test_a_configuration_that_contradicts_the_tensors(ours: Path) -> None:
    refused(forge(ours, with_config(mask_tokens=3)), r"mask_tokens\.weight is 2x48 instead of 3x48")


def test_the_reader_s_own_words_name_no_folder(ours: Path) -> None:
    """Messages about contents name the file only: a path can hold a patient's name."""
    forge(ours, with_config(mask_tokens=3))
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(ours)
    assert str(ours.parent) not in str(caught.value)
