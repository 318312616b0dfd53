"""The door to the network: shapes, precision, devices, and a graphics card that runs out of memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from small_configs import TINY, random_network

import msam
from msam.checkpoints.writing import write_checkpoint
from msam.config import COMPACT
from msam.errors import CheckpointError, DeviceError, PromptError
from msam.model.device import autocast, choose_device
from msam.model.model import Model

CPU = torch.device("cpu")
CLICK, POSITIVE = torch.tensor([[[16.0, 15, 14]]]), torch.ones(1, 1)


@pytest.fixture
def model() -> Model:
    return Model(random_network(TINY), CPU)


@pytest.fixture
def roi() -> torch.Tensor:
    return torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(1))


def test_shapes_are_those_of_the_contract(model: Model, roi: torch.Tensor) -> None:
    encoded = model.encode(roi.repeat(2, 1, 1, 1, 1))
    assert encoded.embedding.shape == (2, 24, 4, 4, 4)
    logits, quality = model.decode(encoded, CLICK.repeat(2, 3, 1), torch.ones(2, 3))
    assert logits.shape == (2, 1, 16, 16, 16) and logits.dtype == torch.float32
    assert quality.shape == (2, 1)
    assert encoded.nbytes >= encoded.embedding.nbytes


def test_no_mask_means_zeros(model: Model, roi: torch.Tensor) -> None:
    encoded = model.encode(roi)
    without, _ = model.decode(encoded, CLICK, POSITIVE)
    zeros, _ = model.decode(encoded, CLICK, POSITIVE, torch.zeros(1, 1, 16, 16, 16))
    assert torch.equal(without, zeros)


def test_image_branch_of_the_adapter_is_not_computed_again(model: Model, roi: torch.Tensor) -> None:
    adapter = model.network.adapter
    assert adapter is not None
    calls = []
    adapter.mutual_enhancement.get_submodule("image_conv1").register_forward_hook(lambda *_: calls.append(1))
    encoded = model.encode(roi)
    for _ in range(3):
        model.decode(encoded, CLICK, POSITIVE)
    assert len(calls) == 1


def test_only_the_mask_token_in_use_is_decoded(model: Model, roi: torch.Tensor) -> None:
    calls = []
    for number, mlp in enumerate(model.network.mask_decoder.output_hypernetworks_mlps):
        mlp.register_forward_hook(lambda *_, number=number: calls.append(number))
    model.decode(model.encode(roi), CLICK, POSITIVE)
    assert calls == [0]


def test_bfloat16_autocast_gives_the_same_masks(roi: torch.Tensor) -> None:
    """What a graphics card computes, tried on the processor."""
    for config in (TINY, dataclasses.replace(COMPACT, roi_size=32, depth=2)):
        network = random_network(config)
        masks = []
        for enabled in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                logits, _ = network.decode(network.encode(roi), CLICK, POSITIVE, torch.zeros(1, 1, 16, 16, 16))
            masks.append(logits.float() > 0)
        overlap = 2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum()).clamp(min=1)
        assert overlap >= 0.98, config.name


def test_half_precision_is_for_graphics_cards() -> None:
    with autocast(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize("times", [1, 2])
def test_out_of_memory_is_tried_once_more_and_then_done_on_the_processor(
    model: Model, roi: torch.Tensor, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    expected = model.encode(roi).embedding
    encode, failures = model.network.encode, iter(range(times))

    def short_of_memory(region: torch.Tensor) -> object:
        if next(failures, None) is not None:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(region)

    monkeypatch.setattr(model.network, "encode", short_of_memory)
    assert torch.equal(model.encode(roi).embedding, expected)
    assert (model.notice is None) == (times == 1)
    if model.notice:
        assert "processor" in model.notice


def test_devices_that_are_not_there_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no device 'cuda'"):
        choose_device("cuda")
    with pytest.raises(DeviceError, match="not a device"):
        choose_device("gpu please")
    assert choose_device("cpu") == CPU


def test_cuda_comes_first_then_mps_then_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    present = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: present["mps"])
    chosen = []
    for absent in (None, "cuda", "mps"):
        if absent:
            present[absent] = False
        chosen.append(choose_device().type)
    assert chosen == ["cuda", "mps", "cpu"]


def test_wrong_shapes_are_refused_in_words(model: Model, roi: torch.Tensor) -> None:
    with pytest.raises(PromptError, match=r"\(B, 1, 32, 32, 32\)"):
        model.encode(torch.zeros(1, 1, 16, 16, 16))
    encoded = model.encode(roi)
    with pytest.raises(PromptError, match="Clicks are"):
        model.decode(encoded, CLICK[0], POSITIVE)
    with pytest.raises(PromptError, match="Mask logits are"):
        model.decode(encoded, CLICK, POSITIVE, torch.zeros(1, 1, 8, 8, 8))


def test_loaded_model_has_its_lora_folded_in(tmp_path: Path, roi: torch.Tensor) -> None:
    with_lora = random_network(dataclasses.replace(TINY, lora_rank=2))
    write_checkpoint(tmp_path / "tuned.safetensors", with_lora.state_dict(), with_lora.config, {})
    model = msam.load_model(tmp_path / "tuned.safetensors", device="cpu")
    assert model.config.lora_rank == 0
    assert torch.allclose(model.encode(roi).embedding, with_lora.encode(roi).embedding, atol=1e-4)


def test_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="nonesuch"):
        msam.load_model("nonesuch")


def test_importing_the_package_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import msam, sys; assert 'torch' not in sys.modules; print(msam.__version__)"
    package = str(Path(msam.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": package}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
