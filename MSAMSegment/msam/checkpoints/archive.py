"""Opening a `.pth` file without trusting it.

Such a file is a zip archive of raw tensor bytes and one pickle, and a pickle can name any function to be called. Three
walls stand before that: the archive must be as long as it says (nothing compressed, so no zip bomb), its pickle may
name nothing but what holds tensors and an `argparse.Namespace` (read here as text, before anything is loaded), and
`torch.load(weights_only=True)` then enforces the same when it loads.
"""

from __future__ import annotations

import argparse
import os
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import torch

from msam.checkpoints.wording import first_few
from msam.errors import CheckpointError

_LONGEST_PICKLE = 64 * 2**20  # a training file of 461 tensors with its optimiser needs 1 MB
_MOST_ENTRIES = 100_000
_STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
_ALLOWED = {
    "argparse.Namespace",  # the options of the training run
    "collections.OrderedDict",
    "collections.Counter",  # the milestones of a learning rate schedule
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    *(f"torch.{kind}Storage" for kind in _STORAGES),
}


def load_archive(path: Path) -> Any:
    """What a `.pth` file holds: tensors, mapped from the file rather than copied, and plain values.

    Raises:
        CheckpointError: the file is truncated, claims sizes it does not have, or asks for more than tensors.
    """
    asked = _globals_of(_checked_pickle(path))
    unwanted = sorted(asked - _ALLOWED)
    if unwanted:
        raise CheckpointError(
            f"The checkpoint {path.name} was refused, unopened: besides tensors it asks to load {first_few(unwanted)}, "
            "which could run any code. If you trust its maker, ask for a file that holds the weights only."
        )
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(os.fspath(path), map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a forged pickle can make the loader fail in any way
        raise CheckpointError(
            f"The checkpoint {path.name} is damaged, or asks for more than tensors, and was not loaded: "
            "get the file anew from its source."
        ) from error


def _checked_pickle(path: Path) -> bytes:
    """The archive's pickle, after checking that no entry is larger than the bytes it has in the file."""
    damaged = f"The checkpoint {path.name} is truncated or damaged: get the file anew."
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
            plain = all(
                entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
                for entry in entries
            )
            claimed = sum(entry.file_size for entry in entries)
            if not plain or len(entries) > _MOST_ENTRIES or claimed > path.stat().st_size:
                raise CheckpointError(
                    f"The checkpoint {path.name} was refused, unopened: it claims contents larger than the file, "
                    "or compressed ones, which PyTorch never writes. Get the file anew from its source."
                )
            if any(entry.filename.endswith("/constants.pkl") for entry in entries):
                raise CheckpointError(
                    f"{path.name} is a TorchScript program, not a checkpoint: save the model's state_dict instead."
                )
            if len(pickles) != 1:
                raise CheckpointError(f"{path.name} is a zip archive, but not a PyTorch checkpoint.")
            if pickles[0].file_size > _LONGEST_PICKLE:
                raise CheckpointError(
                    f"The checkpoint {path.name} was refused, unopened: its index alone claims "
                    f"{pickles[0].file_size} bytes. Get the file anew from its source."
                )
            return archive.read(pickles[0])
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(damaged) from error
    except OSError as error:
        raise CheckpointError(f"The checkpoint {path.name} cannot be read: {error.strerror}.") from error


def _globals_of(pickled: bytes) -> set[str]:
    """Every function and class that a pickle names, found without running it."""
    asked: set[str] = set()
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name in ("GLOBAL", "INST"):
                asked.add(str(argument).replace(" ", "."))
            elif opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                asked.add(f"something hidden by {opcode.name}")
    except (ValueError, EOFError, IndexError, UnicodeDecodeError) as error:
        raise CheckpointError("The checkpoint's index is damaged: get the file anew.") from error
    return asked
