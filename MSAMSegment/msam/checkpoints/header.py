"""The head of a safetensors file: its configuration, its attribution and the shapes of its tensors.

The layout is 8 bytes with the length of a JSON text, that text, then the tensors' bytes. Reading the head needs no
torch and touches no tensor, so it serves listings too, and a forged size is found before memory is taken for it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from msam.checkpoints.config_text import config_from_text
from msam.config import ModelConfig
from msam.errors import CheckpointError

FORMAT_KEY = "msam_format"
FORMAT_VERSION = "1"
CONFIG_KEY = "msam_config"

_LONGEST_HEAD = 16 * 2**20  # 461 tensors need 60 kB
_BYTES_OF = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I8": 1}


@dataclass(frozen=True)
class Header:
    """What a safetensors file of ours says about itself.

    Attributes:
        config: the sizes of its network.
        metadata: free texts, such as `attribution`, `licence` and `description`.
        shapes: tensor name to shape, of the scales of tensors in eight bits too (`msam.checkpoints.eight_bit`).
    """

    config: ModelConfig
    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]


def read_header(path: Path) -> Header:
    """The head of one of our checkpoints, its sizes checked against the file's.

    Raises:
        CheckpointError: the file is damaged, truncated, or a safetensors file of another program.
    """
    try:
        with path.open("rb") as handle:
            size = path.stat().st_size
            length = int.from_bytes(handle.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEAD):
                raise CheckpointError(f"The checkpoint {path.name} is truncated or damaged: get the file anew.")
            text = handle.read(length)
    except OSError as error:
        raise CheckpointError(f"The checkpoint {path.name} cannot be read: {error.strerror}.") from error
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise CheckpointError(f"The head of the checkpoint {path.name} is damaged: get the file anew.") from None
    if not isinstance(entries, dict):
        raise CheckpointError(f"The head of the checkpoint {path.name} is damaged: get the file anew.")

    metadata = _metadata(entries.pop("__metadata__", {}), path.name)
    config = config_from_text(metadata.pop(CONFIG_KEY))
    data_size = size - 8 - length
    shapes = {name: _checked_shape(name, entry, data_size) for name, entry in entries.items()}
    return Header(config, metadata, shapes)


def _metadata(found: Any, file_name: str) -> dict[str, str]:
    """The metadata, with its format version checked and taken out."""
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise CheckpointError(f"The metadata of the checkpoint {file_name} are damaged: get the file anew.")
    version = found.pop(FORMAT_KEY, None)
    if version is None or CONFIG_KEY not in found:
        raise CheckpointError(
            f"{file_name} is a safetensors file of another program: it carries no M-SAM configuration. "
            "Convert the original .pth file instead: msam-segment convert MODEL.pth MODEL.safetensors"
        )
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"The checkpoint {file_name} is of format {version!r:.20}, which this version cannot read "
            f"(it reads {FORMAT_VERSION}): update this program."
        )
    return found


def _checked_shape(name: str, entry: Any, data_size: int) -> tuple[int, ...]:
    """The shape of one tensor, whose type, extent and place in the file have been checked."""
    described = entry if isinstance(entry, dict) else {}
    kind, shape, offsets = (described.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not (isinstance(kind, str) and _are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
        raise CheckpointError(f"The checkpoint's head describes the tensor {name:.80} wrongly: get the file anew.")
    if kind not in _BYTES_OF:
        raise CheckpointError(
            f"The checkpoint's tensor {name} is of type {kind:.10}; weights are stored as "
            f"{', '.join(_BYTES_OF)}: get the file anew."
        )
    begin, end = offsets
    if end > data_size or end - begin != math.prod(shape) * _BYTES_OF[kind]:
        raise CheckpointError(
            f"The checkpoint's tensor {name} claims a size that the file does not have: "
            "it is truncated or damaged; get the file anew."
        )
    return tuple(shape)


def _are_sizes(found: Any) -> TypeGuard[list[int]]:
    return isinstance(found, list) and len(found) <= 8 and all(type(item) is int and item >= 0 for item in found)
