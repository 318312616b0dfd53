"""The examples of all steps in their order, drawn by as many processes as one likes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from msam.config import ModelConfig
from msam.training.cases import Target
from msam.training.chance import seed_for
from msam.training.crops import Example, ExampleMaker
from msam.training.published_crops import PublishedExampleMaker
from msam.training.recipes import Recipe, dataset_weights

PREFETCHED = 4  # batches a worker is ahead


class Batch(NamedTuple):
    """Images and truths `(B, 1, S, S, S)`, first clicks `(B, 1, 3)` in ROI voxels."""

    image: Tensor
    truth: Tensor
    clicks: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(*(tensor.to(device) for tensor in self))


class Maker(Protocol):
    """Draws the example of a seed."""

    def draw(self, seed: int) -> Example: ...


def maker_for(targets: list[Target], config: ModelConfig, recipe: Recipe) -> Maker:
    """What draws examples for a network, by the way its regions are normalised."""
    weights = dataset_weights(target.dataset for target in targets)
    if config.normalisation == "click":
        return ExampleMaker(targets, config, weights, recipe.lesions, recipe.made_up)
    return PublishedExampleMaker(targets, config, weights)


class Batches(IterableDataset[Batch]):
    """One batch a step from a step on, without end. Which examples it holds follows from its number alone.

    Args:
        maker: draws them.
        seed: of the run.
        step: the first one.
        batch: examples of a step over all processes.
        first: the first example of this process.
        share: how many this process has.
    """

    def __init__(self, maker: Maker, seed: int, step: int, batch: int, first: int, share: int) -> None:
        self.maker = maker
        self.seed = seed
        self.step = step
        self.batch = batch
        self.mine = range(first, first + share)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        if worker is not None:
            torch.set_num_threads(1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains
        # Loaders take one batch of each worker in turn.
        step, stride = (self.step, 1) if worker is None else (self.step + worker.id, worker.num_workers)
        while True:
            numbers = (step * self.batch + position for position in self.mine)
            yield _collate([self.maker.draw(seed_for(self.seed, "example", number)) for number in numbers])
            step += stride


def load(batches: Batches, workers: int) -> Iterator[Batch]:
    """The batches, drawn here (no workers) or ahead of time in processes of their own."""
    ahead = PREFETCHED if workers else None
    return iter(DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=ahead))


def _collate(examples: list[Example]) -> Batch:
    return Batch(
        torch.stack([example.image for example in examples]),
        torch.stack([example.truth for example in examples]),
        torch.stack([example.click for example in examples])[:, None],
    )
