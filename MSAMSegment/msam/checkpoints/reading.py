"""Reading a checkpoint, whichever of the three known kinds of file it is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from msam.checkpoints.archive import load_archive
from msam.checkpoints.eight_bit import unpack, without_scales
from msam.checkpoints.header import read_header
from msam.checkpoints.naming import is_msam_training, rename_published
from msam.checkpoints.sizes import infer_config
from msam.checkpoints.validation import check_finite, check_kinds, check_shapes
from msam.checkpoints.wording import first_few, megabytes
from msam.config import ModelConfig
from msam.errors import CheckpointError

_LARGEST_FILE = 8 * 2**30  # M-SAM's training files, optimiser included, have 1.4 GB
_WEIGHTS_KEY = "model_state_dict"


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a network and what is known about them.

    Attributes:
        config: the sizes of the network; `lora_rank` is above 0 where the weights still carry LoRA beside them.
        state_dict: our tensor names, float32 on the CPU; it shares no memory with the file.
        metadata: free texts, such as `attribution`, `licence` and `description`.
    """

    config: ModelConfig
    state_dict: dict[str, Tensor]
    metadata: dict[str, str]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a SAM-Med3D file, an M-SAM training file, or a safetensors file of ours; told apart by their contents.

    Raises:
        CheckpointError: there is no such file; it is none of these, truncated, or damaged; it asks to load more than
            tensors; its tensors are not exactly those of a network (the message names them).
    """
    path = Path(path)
    try:
        size = path.stat().st_size if path.is_file() else -1
        with path.open("rb") as handle:
            start = handle.read(9)
    except FileNotFoundError:
        raise CheckpointError(f"There is no checkpoint at {path}: check the name.") from None
    except OSError as error:
        raise CheckpointError(f"The checkpoint {path} cannot be read: {error.strerror}.") from error
    if size < 0:
        raise CheckpointError(f"{path} is not a file: give the checkpoint's own path.")
    if size > _LARGEST_FILE:
        raise CheckpointError(
            f"The checkpoint {path.name} has {megabytes(size)}, more than any this program knows "
            f"({megabytes(_LARGEST_FILE)}): it is not an M-SAM or SAM-Med3D checkpoint."
        )
    if start.startswith(b"PK\x03\x04"):
        return _read_published(path, size)
    if start[8:9] == b"{":
        return _read_ours(path)
    if start.startswith(b"\x80"):
        raise CheckpointError(
            f"{path.name} is a pickle or a checkpoint from before PyTorch 1.6, which cannot be read safely: "
            "load it where it was made and save its state_dict with a current PyTorch."
        )
    raise CheckpointError(
        f"{path.name} is not a checkpoint: expected a PyTorch file (.pth) of M-SAM or SAM-Med3D, or a safetensors file "
        "of this program. If it was downloaded, it may be truncated or a web page: get it anew."
    )


def _read_ours(path: Path) -> Checkpoint:
    header = read_header(path)
    check_shapes(without_scales(header.shapes), header.config)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            state_dict = unpack({name: file.get_tensor(name) for name in header.shapes})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"The checkpoint {path.name} is truncated or damaged: get the file anew.") from error
    check_finite(state_dict)
    return Checkpoint(header.config, state_dict, header.metadata)


def _read_published(path: Path, size: int) -> Checkpoint:
    weights = _weights_of(load_archive(path), path.name)
    msam = is_msam_training(weights)
    renamed = {ours: weights[published] for published, ours in rename_published(weights).items()}
    check_kinds(renamed)
    # A view can repeat a few stored numbers endlessly; copied, it would take the memory it claims.
    if sum(tensor.numel() * tensor.element_size() for tensor in renamed.values()) > size:
        raise CheckpointError(
            f"The checkpoint {path.name} claims tensors larger than the file: get the file anew from its source."
        )
    shapes = {name: tuple(tensor.shape) for name, tensor in renamed.items()}
    config = infer_config(shapes, msam=msam)
    check_shapes(shapes, config)
    state_dict = {name: _own(tensor) for name, tensor in renamed.items()}
    check_finite(state_dict)
    kind = "M-SAM (arXiv 2403.05912)" if msam else "SAM-Med3D (arXiv 2310.15161)"
    return Checkpoint(config, state_dict, {"description": f"Weights of {kind} from a PyTorch checkpoint"})


def _weights_of(content: Any, file_name: str) -> Mapping[str, Tensor]:
    """The named tensors in what a `.pth` file holds, leaving optimiser state, options and losses aside."""
    weights = content.get(_WEIGHTS_KEY, content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not weights:
        raise CheckpointError(
            f"{file_name} holds no weights: expected '{_WEIGHTS_KEY}', as M-SAM and SAM-Med3D save it, or a state_dict."
        )
    odd = [str(name)[:80] for name, value in weights.items() if not (isinstance(name, str) and torch.is_tensor(value))]
    if odd:
        raise CheckpointError(
            f"{file_name} holds things among its weights that are not tensors: {first_few(odd)}. "
            f"Expected '{_WEIGHTS_KEY}', as M-SAM and SAM-Med3D save it, or a state_dict."
        )
    return weights


def _own(tensor: Tensor) -> Tensor:
    """The tensor in float32 and in memory of its own: the file may change or vanish while the model is in use."""
    return tensor.detach().to(torch.float32, copy=True).contiguous()
