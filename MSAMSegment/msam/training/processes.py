"""The processes that train together: one, or as many as `torchrun` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from msam.errors import MsamError
from msam.model.device import choose_device

# The others wait that long for the process whose scans take longest to validate on.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Group:
    """This process among those that train together.

    Attributes:
        device: where it calculates.
        rank: its number, from 0; the first one writes and talks.
        size: how many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, batch: int) -> tuple[int, int]:
        """The first example of this process and how many it has.

        Raises:
            MsamError: the batch cannot be shared evenly.
        """
        if batch % self.size:
            raise MsamError(
                f"A batch of {batch} cannot be shared evenly by {self.size} processes; choose a multiple (--batch)."
            )
        return self.rank * (batch // self.size), batch // self.size

    def joined(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes; itself where there is only one."""
        if self.size == 1:
            return module
        # Some parameters are there for public checkpoints only, and take part in no calculation.
        return DistributedDataParallel(module, find_unused_parameters=True)

    def summed(self, values: list[float]) -> list[float]:
        """Each value added up over all processes."""
        if self.size == 1:
            return values
        total: Tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return [float(value) for value in total]

    def gathered(self, values: list[float]) -> list[float]:
        """The values of all processes."""
        if self.size == 1:
            return values
        found: list[list[float]] = [[] for _ in range(self.size)]
        dist.all_gather_object(found, values)
        return [value for part in found for value in part]


@contextmanager
def joined_processes(asked: str | None) -> Iterator[Group]:
    """Joins the processes that `torchrun` started, if it did, for as long as the block runs.

    Args:
        asked: the device; with several processes on CUDA each takes the card of its own number.

    Raises:
        DeviceError: the device is not there.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = choose_device(asked)
    if size == 1:
        yield Group(device)
        return
    if device.type == "cuda":
        device = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Group(device, rank, size)
    finally:
        dist.destroy_process_group()
