"""Writing checkpoints in our format: safetensors, with the configuration in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from msam.checkpoints.atomic import replacing
from msam.checkpoints.config_text import config_to_text
from msam.checkpoints.eight_bit import pack
from msam.checkpoints.header import CONFIG_KEY, FORMAT_KEY, FORMAT_VERSION
from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.validation import FLOAT_TYPES, is_finite, validate
from msam.checkpoints.wording import first_few
from msam.config import ModelConfig
from msam.errors import CheckpointError

SUFFIX = ".safetensors"


def write_checkpoint(
    path: str | Path,
    state_dict: Mapping[str, Tensor],
    config: ModelConfig,
    metadata: Mapping[str, str],
    dtype: torch.dtype | None = None,
) -> None:
    """Write a network; the file appears whole or not at all, and takes the place of one of that name.

    Args:
        path: a name ending in `.safetensors`, in a folder that exists.
        state_dict: our tensor names, on any device.
        config: the sizes of the network.
        metadata: free texts; `attribution`, `licence` and `description` are shown to users.
        dtype: the floating-point type to store, or int8 for eight bits where they suffice
            (`msam.checkpoints.eight_bit`); None keeps each tensor's own.

    Raises:
        CheckpointError: the tensors are not exactly those of the network, do not fit `dtype`, or the file cannot be
            written.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise CheckpointError(f"Checkpoints are written as safetensors: let the name {path.name} end in '{SUFFIX}'.")
    if dtype not in (None, torch.int8, *FLOAT_TYPES):
        raise CheckpointError(f"Weights cannot be stored as {dtype}: choose a floating-point type or int8.")
    reserved = sorted({CONFIG_KEY, FORMAT_KEY} & set(metadata))
    if reserved:
        raise CheckpointError(f"The metadata keys {', '.join(reserved)} are written by the program: leave them out.")

    # safetensors refuses tensors that share memory, so each gets its own.
    plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state_dict.items()}
    validate(plain, config)
    if dtype is not None:
        plain = pack(plain) if dtype == torch.int8 else {name: tensor.to(dtype) for name, tensor in plain.items()}
        too_large = [name for name, tensor in plain.items() if not is_finite(tensor)]
        if too_large:
            raise CheckpointError(
                f"The numbers of {first_few(too_large)} are too large for {dtype}: store them as float32 or bfloat16."
            )
    texts = {**metadata, FORMAT_KEY: FORMAT_VERSION, CONFIG_KEY: config_to_text(config)}
    try:
        with replacing(path) as temporary:
            save_file(plain, temporary, texts)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"The checkpoint {path} cannot be written ({error}): check that its folder exists, may be written to and "
            "has room."
        ) from error


def convert(source: str | Path, destination: str | Path) -> None:
    """Write any readable checkpoint in our format. LoRA, where the source has it, stays beside the weights.

    Raises:
        CheckpointError: the source cannot be read, or the destination not written.
    """
    source, destination = Path(source), Path(destination)
    if source.exists() and destination.exists() and source.samefile(destination):
        raise CheckpointError(f"{destination.name} cannot be converted onto itself: give another destination.")
    checkpoint = read_checkpoint(source)
    write_checkpoint(destination, checkpoint.state_dict, checkpoint.config, checkpoint.metadata)
