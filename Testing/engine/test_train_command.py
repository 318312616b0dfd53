"""`msam-segment train` as a whole, and the parts of its recipes that can be checked alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import TINY_SAM_MED3D
from labelled_folders import TINY_COMPACT, TINY_PUBLISHED, one_thread, plain_pair, tiny_model
from typer.testing import CliRunner

import msam
from msam.checkpoints.header import read_header
from msam.checkpoints.skeleton import skeleton
from msam.cli.app import app
from msam.config import VIT_B_MSAM
from msam.training import start
from msam.training.cases import targets_of
from msam.training.chance import Chance
from msam.training.clicks import next_click
from msam.training.iterating import Iterations
from msam.training.layouts import find_cases
from msam.training.losses import step_loss
from msam.training.parameters import choose_trained, parameter_groups
from msam.training.recipes import AS_PUBLISHED, BUNDLED_DATA, FINE_TUNING, FROM_SCRATCH, dataset_weights
from msam.training.stream import Batches, maker_for


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def train(folder: Path, *arguments: str, exit_code: int = 0) -> Any:
    if not (folder / "data").exists():
        plain_pair(folder / "data")
    given = ["train", "--data", str(folder / "data"), "--out", str(folder / "run"), "--device=cpu", "--workers=0"]
    done = CliRunner().invoke(app, [*given, *arguments])
    assert done.exit_code == exit_code, done.stderr
    return done


def test_what_is_trained_of_the_published_network_is_the_published_share() -> None:
    network = skeleton(VIT_B_MSAM)
    share = choose_trained(network, AS_PUBLISHED)
    assert str(share) == "24,876,016 of 117,800,944 parameters (21.1 %)"
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert all("linear_" in name for name in trained if name.startswith("image_encoder."))
    assert {name.partition(".")[0] for name in trained} == {
        "image_encoder",
        "adapter",
        "prompt_encoder",
        "mask_decoder",
    }
    rates = {group["share"] for group in parameter_groups(network, AS_PUBLISHED)}
    assert rates == {1.0, 0.1}


def test_a_compact_network_is_trained_whole_its_encoder_slowly() -> None:
    network = skeleton(TINY_COMPACT)
    assert "(100.0 %)" in str(choose_trained(network, FINE_TUNING))
    slow = {
        id(each)
        for group in parameter_groups(network, FINE_TUNING)
        if group["share"] == 0.1
        for each in group["params"]
    }
    assert slow == {id(parameter) for parameter in network.image_encoder.parameters()}


def test_rates_follow_their_schedules() -> None:
    published = [AS_PUBLISHED.rate_at(step) for step in (0, 1199, 1200, 1799, 1800)]
    assert published == pytest.approx([8e-4, 8e-4, 8e-5, 8e-5, 8e-6])
    assert FROM_SCRATCH.rate_at(0) == pytest.approx(8e-4 / 100)
    assert FROM_SCRATCH.rate_at(99) == pytest.approx(8e-4, rel=0.02)
    assert FROM_SCRATCH.rate_at(1500) == pytest.approx(4e-4)
    assert FROM_SCRATCH.rate_at(2999) < 1e-8


def test_data_sets_have_their_recorded_shares_or_equal_ones() -> None:
    recorded = {name: BUNDLED_DATA[name] for name in ("sarcoma_ct", "glioma_mr")}
    assert dataset_weights(["sarcoma_ct", "glioma_mr", "sarcoma_ct"]) == recorded
    assert sum(BUNDLED_DATA.values()) == pytest.approx(1)
    assert dataset_weights([*BUNDLED_DATA, "mine"]) == dict.fromkeys([*sorted([*BUNDLED_DATA, "mine"])], 1 / 6)


def test_a_labelled_folder_is_fine_tuned_with_one_command(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "start.safetensors")
    done = train(tmp_path, "--start", str(model), "--steps=3", "--validate-every=2")
    run = tmp_path / "run"
    assert "(100.0 %)" in done.stderr
    assert "6 objects in 2 scans to learn from, 3 in 1 to validate" in done.stderr, "two labels and their union each"
    assert f"--model {run / 'best.safetensors'}" in done.stderr
    records = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["step"] for record in records if "loss" in record] == [1, 2, 3]
    found = {record["step"]: record["val_dice"] for record in records if "val_dice" in record}
    assert list(found) == [0, 2, 3]
    assert f"Validation Dice {max(found.values()):.3f} at best" in done.stderr
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    for name in ("best.safetensors", "last.safetensors"):
        assert msam.load_model(run / name, device="cpu").config == TINY_COMPACT
        told = read_header(run / name).metadata
        assert (told["attribution"], told["licence"]) == ("Somebody's scans", "CC BY 4.0"), "they travel along"
    assert "compact, trained 3 steps from" in told["description"]


def test_a_published_checkpoint_gets_lora_and_is_written_without_it(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "start.safetensors", TINY_PUBLISHED)
    done = train(tmp_path, "--start", str(model), "--steps=2")
    assert "as published" in done.stderr and "(100.0 %)" not in done.stderr
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["network"]
    before = msam.load_model(model, device="cpu").network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], state[name])}
    assert not any(name.startswith("image_encoder.") for name in changed)
    assert {name.partition(".")[0] for name in changed} >= {"adapter", "prompt_encoder", "mask_decoder"}
    assert state["image_encoder.blocks.0.attn.qkv.linear_b_q.weight"].any()
    after = msam.load_model(tmp_path / "run" / "last.safetensors", device="cpu")
    assert after.config == TINY_PUBLISHED
    assert not torch.equal(after.network.state_dict()["image_encoder.blocks.0.attn.qkv.weight"],
                           before["image_encoder.blocks.0.attn.qkv.weight"]), "the LoRA is in it now"  # fmt: skip


def test_sam_med3d_becomes_msam(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "start.safetensors", TINY_SAM_MED3D)
    train(tmp_path, "--start", str(model), "--steps=1")
    config = msam.load_model(tmp_path / "run" / "last.safetensors", device="cpu").config
    assert (config.name, config.adapter, config.clicks_per_step, config.spacings) == ("m-sam", True, "new", (1.5,))


def test_from_scratch_needs_no_weights_and_takes_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "COMPACT", TINY_COMPACT)
    done = train(tmp_path, "--from-scratch", "--steps=2", "--batch=2", "--lesions=0.5")
    assert "Recipe: from scratch." in done.stderr
    assert "4 objects in 2 scans" in done.stderr, "one a label"
    assert "step 0 of 2  validation" not in done.stderr
    first = tmp_path / "run" / "last.safetensors"
    assert read_header(first).metadata["description"] == "compact, trained 2 steps from random weights"
    again = train(tmp_path, "--from-scratch", "--start", str(first), "--steps=1", "--out", str(tmp_path / "second"))
    assert "step 0 of 1  validation" in again.stderr


def test_iterations_are_as_many_as_the_recipe_says_and_see_the_clicks_that_the_model_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, _ = find_cases(plain_pair(tmp_path))
    objects = targets_of(training)
    for config, recipe, seen in (
        (TINY_PUBLISHED, AS_PUBLISHED, [1] * 11),
        (TINY_COMPACT, FINE_TUNING, [*range(1, 12)]),
    ):
        network = msam.model.network.MSAM(config)
        decode, counts = network.decode, []

        def counted(encoded: Any, points: Any, *rest: Any, decode: Any = decode, counts: Any = counts) -> Any:
            counts.append(points.shape[1])
            return decode(encoded, points, *rest)

        monkeypatch.setattr(network, "decode", counted)
        batch = next(iter(Batches(maker_for(objects, config, recipe), 0, 0, 2, 0, 2)))
        assert batch.image.shape == batch.truth.shape == (2, 1, *(config.roi_size,) * 3)
        loss, scores = Iterations(network, recipe, torch.float32)(*batch, Chance(0, 0, 2, 0, 2))
        assert counts == seen and len(scores) == 11
        assert torch.isfinite(loss) and loss.requires_grad


def test_bfloat16_gives_nearly_the_same_loss(tmp_path: Path) -> None:
    training, _ = find_cases(plain_pair(tmp_path))
    torch.manual_seed(0)
    network = msam.model.network.MSAM(TINY_COMPACT)
    batch = next(iter(Batches(maker_for(targets_of(training), TINY_COMPACT, FROM_SCRATCH), 0, 0, 2, 0, 2)))
    exact, mixed = (
        Iterations(network, FROM_SCRATCH, precision)(*batch, Chance(0, 0, 2, 0, 2))[0].detach()
        for precision in (torch.float32, torch.bfloat16)
    )
    assert mixed.dtype == torch.float32
    assert float(mixed) == pytest.approx(float(exact), rel=0.1)


def test_published_examples_are_centred_on_their_click(tmp_path: Path) -> None:
    training, _ = find_cases(plain_pair(tmp_path))
    maker = maker_for(targets_of(training), TINY_PUBLISHED, AS_PUBLISHED)
    for seed in range(8):
        example = maker.draw(seed)
        assert set(example.click.tolist()) <= {31.0, 32.0}, "the centre voxel, or its mirror image"
        i, j, k = example.click.long().tolist()
        assert example.truth[0, i, j, k] == 1
        assert torch.equal(example.image, maker.draw(seed).image)


def test_clicks_follow_the_numbers_they_are_given() -> None:
    truth = torch.zeros(2, 1, 8, 8, 8)
    truth[0, 0, 2:5, 2:5, 2:5] = 1
    truth[1, 0, 7, 7, 7] = 1
    for draw in (0.0, 0.5, 1 - 1e-12):
        points, labels = next_click(torch.full_like(truth, -1.0), truth, torch.full((2,), draw, dtype=torch.float64))
        i, j, k = points[0, 0].long().tolist()
        assert truth[0, 0, i, j, k] == 1 and labels[0] == 1
        assert points[1, 0].tolist() == [7, 7, 7]


def test_small_objects_weigh_more_only_where_it_is_asked_for() -> None:
    truth = torch.zeros(1, 1, 8, 8, 8)
    truth[..., 4, 4, 4] = 1
    logits, quality = torch.full_like(truth, -2.0), torch.zeros(1, 1)
    assert step_loss(logits, quality, truth, small_objects=True) > step_loss(
        logits, quality, truth, small_objects=False
    )


def test_tensorboard_is_written_when_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    model = tiny_model(tmp_path / "start.safetensors")
    train(tmp_path, "--start", str(model), "--steps=1", "--tensorboard")
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tensorboard"], 'pip install "msam-segment[train]"'),
        (["--start", "no-such-model"], "no model called 'no-such-model'"),
        (["--data", "nowhere"], "no folder and no manifest"),
        (["--device", "abacus"], "not a device"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert words in train(tmp_path, *arguments, exit_code=2).stderr


def test_a_folder_that_may_not_be_written_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert "Nothing may be written into the folder" in train(tmp_path, exit_code=2).stderr
