"""A model for a host that others rely on: where the memory of its device does not suffice, it says so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

import torch

from msam.model.device import free_memory
from msam.model.model import Model
from msam.protocol.names import Code
from msam.protocol.problems import ServiceError

Output = TypeVar("Output")


class ServedModel(Model):
    """The same model, which never moves to the processor by itself: every later client would wait for it there.

    Regions are worked on one by one, so there is no smaller batch to try.
    """

    def __init__(self, model: Model, free: Callable[[], None]) -> None:
        """Takes a model over.

        Args:
            model: what `msam.load_model` gave.
            free: gives back what else is held on the device.
        """
        super().__init__(model.network, model.device)
        self._free = free

    def _run(self, work: Callable[[], Output]) -> Output:
        # Nothing is freed in an `except`: the error still holds what the attempt had computed.
        with contextlib.suppress(torch.OutOfMemoryError):
            return self._infer(work)
        self._free()
        free_memory(self.device)
        with contextlib.suppress(torch.OutOfMemoryError):
            return self._infer(work)
        free_memory(self.device)
        raise ServiceError(
            "The memory of the engine's graphics card does not suffice at the moment; try again later.",
            Code.OUT_OF_MEMORY,
        )
