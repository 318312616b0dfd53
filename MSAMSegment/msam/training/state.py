"""The state of a run on disk, from which it goes on as if it had never stopped."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from msam.checkpoints.atomic import replacing
from msam.errors import MsamError

STATE = "state.pt"


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes the state; the file is there whole or stays what it was.

    Raises:
        MsamError: it cannot be written.
    """
    try:
        with replacing(folder / STATE) as unfinished:
            torch.save(dict(state), unfinished)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        raise MsamError(f"The state of the training cannot be written into '{folder}': {error}.") from error


def load_state(folder: Path, settings: Mapping[str, str]) -> dict[str, Any] | None:
    """The state of an earlier part of this run; None where there is none.

    Args:
        folder: of the run.
        settings: what this run is; they must be those of the state.

    Raises:
        MsamError: the file is damaged, or belongs to a run with other settings.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["settings"]
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise MsamError(f"'{path}' is damaged; choose another --out, or delete that folder to start anew.") from error
    different = [name for name, value in settings.items() if before.get(name) != value]
    if different:
        changes = "; ".join(f"{name} was {before.get(name)} and is {settings[name]} now" for name in different)
        raise MsamError(
            f"'{folder}' holds a run with other settings: {changes}. Choose another --out, or the settings of that run."
        )
    return dict(state)
