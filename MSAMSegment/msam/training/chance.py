"""Random numbers of training: each follows from the run's seed and what it is for, never from what was drawn before.

So a run goes on after an interruption exactly as it would have without one, whatever the number of processes that draw
its examples or share its batches.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def seed_for(seed: int, purpose: str, number: int) -> int:
    """A seed of its own for the `number`-th use of a purpose."""
    digest = hashlib.blake2b(f"{seed} {purpose} {number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class Chance:
    """The random numbers of one training step, the same on every process that takes part in it.

    Args:
        seed: of the run.
        step: which step.
        batch: examples of the step over all processes.
        first: the first example of this process.
        share: how many examples this process has.
    """

    def __init__(self, seed: int, step: int, batch: int, first: int, share: int) -> None:
        self.generator = torch.Generator().manual_seed(seed_for(seed, "step", step))
        self._batch = batch
        self._mine = slice(first, first + share)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return float(torch.rand((), generator=self.generator)) < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def for_each(self) -> Tensor:
        """One number in [0, 1) for each example of this process, float64."""
        return torch.rand(self._batch, generator=self.generator, dtype=torch.float64)[self._mine]
