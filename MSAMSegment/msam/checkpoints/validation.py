"""Whether tensors are those of a network: every one there, none beside them, right shapes, finite numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from msam.checkpoints.skeleton import skeleton
from msam.checkpoints.wording import first_few
from msam.config import ModelConfig
from msam.errors import CheckpointError

FLOAT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Tensor name -> shape of the network that `config` describes; built without memory for its weights."""
    return {name: tuple(tensor.shape) for name, tensor in skeleton(config).state_dict().items()}


def validate(state_dict: Mapping[str, Tensor], config: ModelConfig) -> None:
    """Check that `state_dict` holds exactly the weights of the network of `config`.

    Raises:
        CheckpointError: naming the tensors that are missing, unknown, of another shape, not floating-point numbers
            in memory, or not finite.
    """
    check_kinds(state_dict)
    check_shapes({name: tuple(tensor.shape) for name, tensor in state_dict.items()}, config)
    check_finite(state_dict)


def check_shapes(shapes: Mapping[str, Sequence[int]], config: ModelConfig) -> None:
    """Check names and shapes against the network of `config`; see `validate`."""
    expected = expected_shapes(config)
    complaints = []
    missing = [name for name in expected if name not in shapes]
    if missing:
        complaints.append(f"it misses {first_few(missing)}")
    unknown = [name for name in shapes if name not in expected]
    if unknown:
        complaints.append(f"it has tensors that the network does not: {first_few(unknown)}")
    wrong = [
        f"{name} is {_by(shapes[name])} instead of {_by(shape)}"
        for name, shape in expected.items()
        if name in shapes and tuple(shapes[name]) != shape
    ]
    if wrong:
        complaints.append(f"shapes differ: {first_few(wrong)}")
    if complaints:
        raise CheckpointError(
            f"The checkpoint does not fit the network '{config.name}' that it claims to be: {'; '.join(complaints)}. "
            "Get the file anew, or check that it is an M-SAM or SAM-Med3D checkpoint."
        )


def check_kinds(state_dict: Mapping[str, Tensor]) -> None:
    """Check that every tensor is a dense one of floating-point numbers in main memory."""
    odd = [
        f"{name} ({tensor.dtype}, {tensor.layout}, {tensor.device})".replace("torch.", "")
        for name, tensor in state_dict.items()
        if tensor.dtype not in FLOAT_TYPES or tensor.layout != torch.strided or tensor.device.type != "cpu"
    ]
    if odd:
        raise CheckpointError(
            f"The checkpoint holds tensors that are not plain floating-point numbers: {first_few(odd)}. "
            "Save the model's state_dict in float32 on the CPU."
        )


def check_finite(state_dict: Mapping[str, Tensor]) -> None:
    """Check that every number is finite."""
    broken = [name for name, tensor in state_dict.items() if not is_finite(tensor)]
    if broken:
        raise CheckpointError(
            f"The checkpoint holds numbers that are not finite in {first_few(broken)}: "
            "its training has failed; use an earlier checkpoint of that run."
        )


def is_finite(tensor: Tensor) -> bool:
    """Whether every number of a tensor is finite."""
    # A sum takes a thirtieth of the time and is finite only if all its terms are; it can overflow, so that is no proof.
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"
