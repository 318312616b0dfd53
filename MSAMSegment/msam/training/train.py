"""Trains the compact configuration from scratch: `python -m msam.training.train --data …/manifest.json --out runs/a`.

Every few minutes the averaged weights and the whole state are written, so that a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from msam.checkpoints.writing import write_checkpoint
from msam.config import COMPACT
from msam.model.network import MSAM
from msam.training.cases import Target, load_targets
from msam.training.clicks import FILLER, next_click
from msam.training.crops import Example, ExampleMaker
from msam.training.losses import dice_score, step_loss

DATASET_WEIGHTS = {
    "sarcoma_ct": 0.2,
    "sarcoma_mr": 0.18,
    "sarcoma_pet": 0.16,
    "glioma_mr": 0.24,
    "hippocampus_mr": 0.22,
}
SECONDS_BETWEEN_SAVES = 60


class Examples(IterableDataset[Example]):
    """An endless stream for a worker process."""

    def __init__(self, targets: list[Target], lesions: float, seed: int) -> None:
        self.maker = ExampleMaker(targets, COMPACT, DATASET_WEIGHTS, lesions, seed)

    def __iter__(self) -> Iterator[Example]:
        torch.set_num_threads(1)
        while True:
            yield self.maker.draw()


def collate(examples: list[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Images and truths `(B, 1, S, S, S)`, first clicks `(B, 1, 3)`."""
    return (
        torch.stack([example.image for example in examples]),
        torch.stack([example.truth for example in examples]),
        torch.stack([example.click for example in examples])[:, None],
    )


def rough_mask(truth: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Logits `(B, 1, m, m, m)` of a mask that is about right: what a coarser look or a hand-drawn mask gives."""
    shifts = torch.randint(-4, 5, (3,), generator=generator).tolist()
    moved = torch.roll(truth, shifts, dims=(2, 3, 4))
    radius = 2 * int(torch.randint(1, 5, (), generator=generator)) + 1
    blurred = F.avg_pool3d(F.interpolate(moved, size=(size,) * 3, mode="area"), radius, 1, radius // 2)
    level = float(torch.empty(()).uniform_(0.25, 0.75, generator=generator))
    return ((blurred - level) * 12).clamp(-6, 6)


def iterate(
    network: MSAM, batch: tuple[Tensor, Tensor, Tensor], steps: int, generator: torch.Generator
) -> tuple[Tensor, list[Tensor]]:
    """Encodes once, decodes `steps` times with new clicks, and gives the mean loss and the Dice of each step."""
    image, truth, points = batch
    labels = torch.ones(points.shape[:2])
    with torch.autocast("cpu", torch.bfloat16):
        encoded = network.encode(image)
    size = network.config.mask_size
    mask = torch.zeros(len(image), 1, size, size, size)
    if float(torch.rand((), generator=generator)) < 0.12:
        mask = rough_mask(truth, size, generator)
    total, scores = torch.zeros(()), []
    for step in range(steps):
        with torch.autocast("cpu", torch.bfloat16):
            logits, quality = network.decode(encoded, points, labels, mask)
        logits, quality = logits.float(), quality.float()
        fine = F.interpolate(logits, size=truth.shape[2:], mode="trilinear", align_corners=False)
        total = total + step_loss(fine, quality, truth)
        scores.append(dice_score(fine.detach(), truth))
        mask = logits.detach()
        if step + 1 < steps:
            new_points, new_labels = next_click(fine.detach(), truth, generator)
            if float(torch.rand((), generator=generator)) < 0.2:  # refined without a new click
                new_labels = torch.full_like(new_labels, FILLER)
            points, labels = torch.cat((points, new_points), 1), torch.cat((labels, new_labels), 1)
    return total / steps, scores


class Averaged:
    """An exponential moving average of a network's parameters: steadier than the last step's."""

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.updates = 0

    def update(self, network: nn.Module) -> None:
        self.updates += 1
        decay = min(0.9985, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            for mean, value in zip(self.network.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="manifest.json of the labelled scans")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, state and log")
    parser.add_argument("--steps", type=int, default=3000, help="length of the whole schedule")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--lesions", type=float, default=0.25, help="chance of a procedural lesion")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="state.pt of an earlier run to take the weights from")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(arguments.seed)
    network = MSAM(COMPACT)
    nn.init.trunc_normal_(network.image_encoder.pos_embed, std=0.02)
    averaged = Averaged(network)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], betas=(0.9, 0.98)
    )
    step = 0
    state_file = arguments.out / "state.pt"
    for file, resumed in ((state_file, True), (arguments.start, False)):
        if file is None or not file.exists():
            continue
        state = torch.load(file, weights_only=True)
        network.load_state_dict(state["network"])
        averaged.network.load_state_dict(state["averaged"])
        if resumed:
            optimiser.load_state_dict(state["optimiser"])
            step = state["step"]
            averaged.updates = state["step"]
        break

    targets = load_targets(arguments.data, "train")
    stream = Examples(targets, arguments.lesions, arguments.seed + 1000 * step + 1)
    loader = iter(DataLoader(stream, batch_size=arguments.batch, num_workers=1, prefetch_factor=4, collate_fn=collate))
    generator = torch.Generator().manual_seed(arguments.seed + step)

    def save() -> None:
        state: dict[str, Any] = {"network": network.state_dict(), "averaged": averaged.network.state_dict()}
        state |= {"optimiser": optimiser.state_dict(), "step": step}
        torch.save(state, state_file.with_suffix(".part"))
        state_file.with_suffix(".part").replace(state_file)
        metadata = {"description": f"compact, {step} steps"}
        write_checkpoint(
            arguments.out / "compact.safetensors", averaged.network.state_dict(), COMPACT, metadata, torch.float16
        )

    began = last_save = time.monotonic()
    window: list[tuple[float, float, float]] = []
    while step < arguments.steps:
        annealed = 0.5 + 0.5 * math.cos(math.pi * step / arguments.steps)
        rate = arguments.rate * min(1.0, (step + 1) / 200) * annealed
        for group in optimiser.param_groups:
            group["lr"] = rate
        steps = int(torch.randint(2, 5, (), generator=generator))
        loss, scores = iterate(network, next(loader), steps, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        averaged.update(network)
        step += 1
        window.append((float(loss.detach()), float(scores[0].mean()), float(scores[-1].mean())))
        if step % 50 == 0:
            means = [sum(column) / len(window) for column in zip(*window, strict=True)]
            record = {"step": step, "minutes": round((time.monotonic() - began) / 60, 2), "rate": rate}
            record |= dict(zip(("loss", "dice_first", "dice_last"), (round(m, 4) for m in means), strict=True))
            with (arguments.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
            window.clear()
        if time.monotonic() - last_save > SECONDS_BETWEEN_SAVES:
            last_save = time.monotonic()
            save()
    save()


if __name__ == "__main__":
    main()
