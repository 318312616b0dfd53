"""Interrupted training goes on exactly, and several processes train what one would have."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from checkpoint_files import same
from labelled_folders import TINY_COMPACT, TINY_PUBLISHED, one_thread, plain_pair, tiny_model

from msam.checkpoints.reading import read_checkpoint
from msam.config import ModelConfig
from msam.errors import MsamError
from msam.training import iterating
from msam.training.cases import Target, targets_of
from msam.training.chance import Chance
from msam.training.layouts import find_cases
from msam.training.parameters import choose_trained
from msam.training.processes import Group, joined_processes
from msam.training.start import start_from
from msam.training.state import STATE
from msam.training.trainer import Run, Trainer

STEPS = 6
# Seconds, on a machine that does much else.
PATIENCE = 600.0


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


class Watcher:
    """Looks on, and asks to stop after a step."""

    def __init__(self, stop_after: int = 0) -> None:
        self.stop_after = stop_after
        self.step = 0
        self.losses: list[float] = []
        self.validations: list[int] = []

    def stepped(self, step: int, figures: dict[str, float]) -> None:
        self.losses.append(figures["loss"])

    def validated(self, step: int, dice: float, best: float) -> None:
        self.validations.append(step)

    def wants_to_stop(self) -> bool:
        self.step += 1
        return self.step == self.stop_after


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Target], list[Target]]:
    training, validation = find_cases(plain_pair(tmp_path_factory.mktemp("data")))
    return targets_of(training), targets_of(validation)


def trained(
    folder: Path,
    objects: tuple[list[Target], list[Target]],
    config: ModelConfig,
    *,
    stop_after: int = 0,
    workers: int = 0,
    seed: int = 3,
    group: Group | None = None,
) -> tuple[Trainer, Watcher]:
    folder.mkdir(exist_ok=True)
    model = folder.parent / "start.safetensors"
    if not model.exists():
        tiny_model(model, config)
    start = start_from(str(model), from_scratch=False, seed=0)
    start = replace(start, recipe=replace(start.recipe, steps=STEPS, decode_steps=(2, 3)))
    choose_trained(start.network, start.recipe)
    run = Run(folder, seed, workers, validate_every=3, precision=torch.float32)
    trainer = Trainer(start, run, *objects, group or Group(torch.device("cpu")))
    watcher = Watcher(stop_after)
    trainer.train(watcher)
    return trainer, watcher


def same_weights(one: Path, other: Path) -> bool:
    states = [torch.load(folder / STATE, weights_only=True) for folder in (one, other)]
    names = states[0]["network"].keys()
    parts = ("network", "averaged") if "averaged" in states[0] else ("network",)
    return all(torch.equal(states[0][part][name], states[1][part][name]) for part in parts for name in names)


@pytest.mark.parametrize("config", [TINY_COMPACT, TINY_PUBLISHED], ids=["compact", "published"])
def test_three_steps_and_three_more_are_six_steps(
    tmp_path: Path, objects: tuple[list[Target], list[Target]], config: ModelConfig
) -> None:
    _, straight = trained(tmp_path / "straight", objects, config)
    first, before = trained(tmp_path / "parts", objects, config, stop_after=3)
    assert first.step == 3
    torch.manual_seed(99)
    second, after = trained(tmp_path / "parts", objects, config)
    assert second.step == STEPS
    assert before.losses + after.losses == straight.losses
    assert same_weights(tmp_path / "straight", tmp_path / "parts")
    assert before.validations == [0] and after.validations == [3, 6], "what was due is made up for"
    for name in ("best.safetensors", "last.safetensors"):
        files = [read_checkpoint(tmp_path / part / name) for part in ("straight", "parts")]
        assert same(files[0].state_dict, files[1].state_dict) and files[0].metadata == files[1].metadata
    logs = [(tmp_path / part / "log.jsonl").read_text(encoding="utf-8") for part in ("straight", "parts")]
    assert logs[0] == logs[1]


def test_a_run_killed_without_warning_goes_on_from_its_last_state(
    tmp_path: Path, objects: tuple[list[Target], list[Target]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "straight", objects, TINY_COMPACT)
    killed = False

    def kill(self: Watcher, step: int, figures: dict[str, float]) -> None:
        if step == 5 and not killed:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watcher, "stepped", kill)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "killed", objects, TINY_COMPACT)
    _, watcher = trained(tmp_path / "killed", objects, TINY_COMPACT)
    assert len(watcher.losses) == 3, "the state of step 3 was there, saved before its validation"
    assert same_weights(tmp_path / "straight", tmp_path / "killed")


def test_a_gradient_that_is_no_number_changes_nothing(
    tmp_path: Path, objects: tuple[list[Target], list[Target]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = trained(tmp_path / "whole", objects, TINY_COMPACT, stop_after=1)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(torch.nan))
    trainer, watcher = trained(tmp_path / "broken", objects, TINY_COMPACT)
    start = start_from(str(tmp_path / "start.safetensors"), from_scratch=False, seed=0).network.state_dict()
    assert same(trainer.network.state_dict(), start)
    assert watcher.losses[0] == whole.losses[0]


def test_a_loss_that_is_no_number_ends_the_run(
    tmp_path: Path, objects: tuple[list[Target], list[Target]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iterating, "step_loss", lambda logits, *_: logits.sum() * torch.nan)
    with pytest.raises(MsamError, match="has diverged"):
        trained(tmp_path / "run", objects, TINY_COMPACT)


def test_workers_draw_the_same_examples(tmp_path: Path, objects: tuple[list[Target], list[Target]]) -> None:
    trained(tmp_path / "none", objects, TINY_COMPACT)
    trained(tmp_path / "two", objects, TINY_COMPACT, workers=2)
    assert same_weights(tmp_path / "none", tmp_path / "two")


def test_another_run_in_the_same_folder_is_refused(tmp_path: Path, objects: tuple[list[Target], list[Target]]) -> None:
    trained(tmp_path / "run", objects, TINY_COMPACT, stop_after=1)
    with pytest.raises(MsamError, match="seed was 3 and is 4 now"):
        trained(tmp_path / "run", objects, TINY_COMPACT, seed=4)
    (tmp_path / "run" / STATE).write_bytes(b"half a file")
    with pytest.raises(MsamError, match="damaged"):
        trained(tmp_path / "run", objects, TINY_COMPACT)


def test_a_batch_must_be_shared_evenly() -> None:
    with pytest.raises(MsamError, match="shared evenly by 3 processes"):
        Group(torch.device("cpu"), 0, 3).share(4)
    assert Group(torch.device("cpu"), 2, 3).share(6) == (4, 2)


def test_every_process_has_its_part_of_the_same_numbers() -> None:
    whole, part = Chance(1, 5, 4, 0, 4), Chance(1, 5, 4, 2, 2)
    assert whole.between(0, 99) == part.between(0, 99)
    assert torch.equal(whole.for_each()[2:], part.for_each())
    assert whole.happens(0.5) == part.happens(0.5)


def train_together(folder: Path) -> None:
    """What each of several processes does: its weights after the last step go to a file with its number."""
    torch.set_num_threads(1)
    training, validation = find_cases(folder / "data")
    with joined_processes("cpu") as group:
        trainer, watcher = trained(
            folder / f"of{group.size}", (targets_of(training), targets_of(validation)), TINY_COMPACT, group=group
        )
        torch.save(
            {**trainer.network.state_dict(), "losses": watcher.losses}, folder / f"{group.rank}of{group.size}.pt"
        )


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    plain_pair(tmp_path / "data")
    tiny_model(tmp_path / "start.safetensors")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    program = f"import pathlib, test_train_resume; test_train_resume.train_together(pathlib.Path({str(tmp_path)!r}))"
    with ExitStack() as stack:
        processes = [
            stack.enter_context(started("-c", program, **address, RANK=str(rank), WORLD_SIZE=str(size)))
            for rank, size in ((0, 2), (1, 2), (0, 1))
        ]
        said = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    first, second, alone = (torch.load(tmp_path / f"{name}.pt") for name in ("0of2", "1of2", "0of1"))
    assert first.pop("losses") == second.pop("losses") == pytest.approx(alone.pop("losses"), rel=1e-3)
    assert same(first, second), "both processes hold the same weights"
    start = start_from(str(tmp_path / "start.safetensors"), from_scratch=False, seed=0).network.state_dict()
    # Some gradients are nothing but rounding, of which AdamW still makes whole steps: so all weights together.
    apart, moved = (torch.cat([(alone[n] - other[n]).flatten() for n in alone]).norm() for other in (first, start))
    assert apart < 0.05 * moved


def test_sigterm_stops_after_the_step_and_says_how_to_go_on(tmp_path: Path) -> None:
    plain_pair(tmp_path / "data")
    start = tiny_model(tmp_path / "start.safetensors")
    options = ["--start", str(start), "--device=cpu", "--workers=0", "--steps=100000"]
    program = ["-m", "msam", "train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    log = tmp_path / "run" / "log.jsonl"
    with started(*program, *options) as process:
        waited = time.monotonic() + PATIENCE
        while not (log.exists() and log.read_text(encoding="utf-8").count("loss") > 1):
            assert time.monotonic() < waited and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130
    stopped = re.search(r"Stopped after step (\d+) of 100000; nothing is lost", said)
    assert stopped and f"msam-segment train --data {tmp_path / 'data'}" in said
    assert torch.load(tmp_path / "run" / STATE, weights_only=True)["step"] == int(stopped[1])


@contextmanager
def started(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with variables of its environment, which ends with the block at the latest."""
    package = Path(__file__).parents[2] / "MSAMSegment"
    paths = f"{package}{os.pathsep}{Path(__file__).parent}"
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **variables}
    with subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
