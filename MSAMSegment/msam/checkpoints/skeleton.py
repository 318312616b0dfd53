"""A network without weights: its structure and the shapes of its tensors, for checking and filling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from msam.config import ModelConfig
from msam.errors import CheckpointError
from msam.model.network import MSAM


def skeleton(config: ModelConfig) -> MSAM:
    """The network of `config` on torch's meta device: no memory, no random numbers.

    Raises:
        CheckpointError: no network can be built from the configuration.
    """
    try:
        with torch.device("meta"), _Unfilled():
            return MSAM(config)
    except (RuntimeError, ValueError, ArithmeticError) as error:
        raise CheckpointError(
            f"No network can be built from the checkpoint's configuration '{config.name}': get the file anew."
        ) from error


class _Unfilled(TorchFunctionMode):
    """Leaves out the random numbers of initialisation.

    On the meta device they have no effect, but the first of them makes torch import 800 modules: almost a second of
    the way from a click to its mask.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func is torch.randn:
            return torch.empty(*args, **named)
        if func.__name__ in ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"):
            return args[0] if args else named["tensor"]
        return func(*args, **named)
