"""A whole run: steps, validations, files, and the way back after an interruption."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from msam.checkpoints.lora import fold_lora
from msam.checkpoints.writing import write_checkpoint
from msam.errors import MsamError
from msam.model.network import MSAM
from msam.training.averaging import Averaged
from msam.training.cases import Target
from msam.training.chance import Chance
from msam.training.iterating import Iterations
from msam.training.journal import Journal
from msam.training.parameters import parameter_groups
from msam.training.precision import precision_for
from msam.training.processes import Group
from msam.training.start import RANDOM_WEIGHTS, Start
from msam.training.state import load_state, save_state
from msam.training.stream import Batches, load, maker_for
from msam.training.validation import chosen, validation_dice

BEST, LAST = "best.safetensors", "last.safetensors"
# No more than a minute may be lost, the step in hand and the writing included.
SECONDS_BETWEEN_SAVES = 40.0
LARGEST_GRADIENT = 1.0


class Watcher(Protocol):
    """Who looks on: is told of progress, and may ask to stop."""

    def stepped(self, step: int, figures: dict[str, float]) -> None: ...

    def validated(self, step: int, dice: float, best: float) -> None: ...

    def wants_to_stop(self) -> bool: ...


@dataclass(frozen=True)
class Run:
    """What a run is beside its network and its data.

    Attributes:
        folder: where its files go; it exists.
        seed: of all random numbers.
        workers: processes that draw examples ahead of time; 0 draws them in between.
        validate_every: steps from one validation to the next.
        tensorboard: whether TensorBoard is written too.
        precision: of the network's calculations; None for the best of the device.
    """

    folder: Path
    seed: int = 0
    workers: int = 1
    validate_every: int = 100
    tensorboard: bool = False
    precision: torch.dtype | None = None


class Trainer:
    """Trains a network. The weights after a step depend on the start, the data, the recipe and the seed alone.

    Args:
        start: the network and its recipe; which parameters are trained has been chosen.
        run: everything else.
        training: objects to learn from.
        validation: objects to be judged by.
        group: the processes that train together.

    Raises:
        MsamError: the folder holds another run, or the batch cannot be shared among the processes.
    """

    def __init__(self, start: Start, run: Run, training: list[Target], validation: list[Target], group: Group) -> None:
        self.start, self.recipe, self.run, self.group = start, start.recipe, run, group
        self.network = start.network.to(group.device).train()
        self.averaged = Averaged(self.network, self.recipe.average) if self.recipe.average else None
        self.training, self.validation = training, chosen(validation)
        self.mine = group.share(self.recipe.batch)
        precision = run.precision or precision_for(group.device)
        self.joined = group.joined(Iterations(self.network, self.recipe, precision))
        groups = parameter_groups(self.network, self.recipe)
        self.optimiser = torch.optim.AdamW(groups, betas=self.recipe.betas, fused=True)
        self.scaler = torch.amp.GradScaler(group.device.type, enabled=precision == torch.float16)
        self.step, self.validated, self.best = 0, -1, -1.0
        self._resume()

    def train(self, watcher: Watcher) -> bool:
        """Goes on to the end of the schedule, or until the watcher asks to stop.

        Returns:
            Whether the end was reached.

        Raises:
            MsamError: the training has diverged, or a file cannot be written.
        """
        journal = Journal(self.run.folder, self.step, tensorboard=self.run.tensorboard) if self.group.is_first else None
        batches = Batches(
            maker_for(self.training, self.network.config, self.recipe),
            self.run.seed,
            self.step,
            self.recipe.batch,
            *self.mine,
        )
        examples = load(batches, self.run.workers)
        saved = time.monotonic()
        stop = False
        while not stop:
            if self._due and journal is not None:
                self._save()  # a validation can take longer than the time that may be lost
            if self._due:
                self._validate(watcher, journal)
            if self.step >= self.recipe.steps:
                break
            figures, stop = self._one_step(next(examples).to(self.group.device), watcher)
            if journal is not None:
                journal.add({"step": self.step, **figures})
            watcher.stepped(self.step, figures)
            if journal is not None and time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                self._save()
                journal.draw()
                saved = time.monotonic()
        if journal is not None:
            self._save()
            journal.draw()
            journal.close()
        return self.step >= self.recipe.steps

    @property
    def _due(self) -> bool:
        """Whether the weights are to be validated now: at the end, every so many steps, and before fine-tuning."""
        if self.validated == self.step:
            return False
        if self.step == 0:  # fine-tuning never ends with less than it began with
            return self.start.source is not None
        return self.step == self.recipe.steps or self.step % self.run.validate_every == 0

    def _one_step(self, batch: Any, watcher: Watcher) -> tuple[dict[str, float], bool]:
        """One update of the weights; its figures, and whether any process was asked to stop."""
        rate = self.recipe.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        chance = Chance(self.run.seed, self.step, self.recipe.batch, *self.mine)
        loss, scores = self.joined(*batch, chance)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        # Now and then a gradient in half precision is no number (on processors, oneDNN's for grids smaller than a
        # kernel): such a step is left out, as the scaler does it for float16.
        if norm.isfinite():
            self.scaler.step(self.optimiser)
        self.scaler.update()
        self.step += 1
        if self.averaged is not None:
            self.averaged.update(self.network, self.step)
        mine = [float(loss.detach()), float(scores[0]), float(scores[-1]), float(watcher.wants_to_stop())]
        *means, stop = (value / self.group.size for value in self.group.summed(mine))
        if not math.isfinite(means[0]):
            raise MsamError(
                f"The training has diverged: the loss of step {self.step} is no number. Start again in another --out "
                f"with a lower --rate than {self.recipe.rate:g}; '{self.run.folder / BEST}' is still good."
            )
        figures = dict(zip(("loss", "dice_first", "dice_last"), means, strict=True))
        return {**figures, "rate": rate}, stop > 0

    @property
    def result(self) -> MSAM:
        """The network that is validated and written."""
        return self.network if self.averaged is None else self.averaged.network

    def _validate(self, watcher: Watcher, journal: Journal | None) -> None:
        dice = validation_dice(self.result, self.validation, self.group)
        self.validated = self.step
        if dice > self.best:
            self.best = dice
            if self.group.is_first:
                self._write(BEST)
        if journal is not None:
            journal.add({"step": self.step, "val_dice": dice})
        watcher.validated(self.step, dice, self.best)

    def _save(self) -> None:
        state = {part: each.state_dict() for part, each in self._parts().items()}
        figures = {"step": self.step, "validated": self.validated, "best": self.best}
        save_state(self.run.folder, {**state, **figures, "settings": self._settings()})
        self._write(LAST)

    def _write(self, name: str) -> None:
        config = replace(self.network.config, lora_rank=0)
        # The file's name alone: weights are sent around, and folders can be named after patients.
        source = Path(self.start.source).name if self.start.source else RANDOM_WEIGHTS
        told = f"{config.name}, trained {self.step} steps from {source}"
        # Half the size, for what is bundled and sent around; fine-tuned public checkpoints stay what they were.
        dtype = torch.float16 if config.stem_channels else None
        weights = fold_lora(self.result.state_dict())
        write_checkpoint(self.run.folder / name, weights, config, {**self.start.metadata, "description": told}, dtype)

    def _resume(self) -> None:
        state = load_state(self.run.folder, self._settings())
        if state is not None:
            for part, each in self._parts().items():
                each.load_state_dict(state[part])
            self.step, self.validated, self.best = state["step"], state["validated"], state["best"]

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "optimiser": self.optimiser, "scaler": self.scaler}
        return parts if self.averaged is None else {**parts, "averaged": self.averaged.network}

    def _settings(self) -> dict[str, str]:
        """What must be the same for a run to go on; its length may be changed."""
        recipe = {name: str(value) for name, value in vars(self.recipe).items() if name != "steps"}
        objects = f"{len(self.training)} for training, {len(self.validation)} for validation"
        return {**recipe, "seed": str(self.run.seed), "start": self.start.source or RANDOM_WEIGHTS, "objects": objects}
