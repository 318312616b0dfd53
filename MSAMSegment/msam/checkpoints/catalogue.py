"""Which models there are: bundled with the program, installed by the user, and public ones that can be fetched."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msam.checkpoints.header import read_header
from msam.checkpoints.known import KNOWN_MODELS, known_model
from msam.errors import CheckpointError
from msam.resources import resources_folder

SUFFIXES = (".safetensors", ".pth", ".pt")
# What an interrupted download leaves: the bytes so far, and what they are part of.
PARTIAL_SUFFIXES = (".part", ".part.json")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ModelEntry:
    """One line of the list of models.

    Attributes:
        name: what users type.
        origin: "bundled", "installed", or "known" for a public model that is not installed.
        path: where its file is; None for "known".
        size: of the file, in bytes.
        licence: as its maker states it; empty when unknown.
        description: one line; for a file that cannot be used, why.
    """

    name: str
    origin: Literal["bundled", "installed", "known"]
    path: Path | None
    size: int
    licence: str
    description: str


def bundled_folder() -> Path:
    """Where the models that come with the program are."""
    return resources_folder() / "Models"


def models_folder() -> Path:
    """Where the user's own models are: `$MSAM_MODELS`, else the platform's folder for a user's data."""
    chosen = os.environ.get("MSAM_MODELS")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "msam" / "models"


def bundled_models() -> dict[str, Path]:
    """Name -> file of the models that come with the program."""
    return _models_in(bundled_folder(), (".safetensors",))


def installed_models() -> dict[str, Path]:
    """Name -> file of the models that the user has downloaded or imported."""
    return _models_in(models_folder(), SUFFIXES)


def is_model_name(text: str) -> bool:
    """Whether `text` can name a model: letters, digits, dots, dashes and underscores, and no checkpoint's suffix."""
    return _NAME.fullmatch(text) is not None and not text.casefold().endswith(SUFFIXES)


def list_models() -> list[ModelEntry]:
    """Every model: the bundled ones, the installed ones, then the public ones that are not installed."""
    bundled, installed = bundled_models(), installed_models()
    entries = [_entry(name, "bundled", path) for name, path in bundled.items()]
    entries += [_entry(name, "installed", path) for name, path in installed.items()]
    here = {name.casefold() for name in (*bundled, *installed)}
    entries += [
        ModelEntry(model.name, "known", None, model.size, model.licence, model.description)
        for model in KNOWN_MODELS
        if model.name not in here
    ]
    return entries


def resolve(source: str | Path) -> Path:
    """The checkpoint file that `source` stands for: a path, or the name of a bundled or installed model.

    A string that could be either is a name first; write `./name` for the file.

    Raises:
        CheckpointError: there is no such file or model; the message lists the names and what to type.
    """
    if isinstance(source, str) and is_model_name(source):
        found = find_model(source, bundled_models()) or find_model(source, installed_models())
        if found:
            return found
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if isinstance(source, Path) or not is_model_name(source):
        raise CheckpointError(f"There is no checkpoint at {source}: check the name, or give a model's name instead.")
    public = known_model(source)
    if public:
        raise CheckpointError(
            f"The model '{public.name}' is not installed. Fetch it with: msam-segment download {public.name}"
        )
    raise CheckpointError(unknown_model(source))


def find_model(name: str, models: dict[str, Path]) -> Path | None:
    """The file of the model of that name, in whatever case it is typed."""
    return next((path for known, path in models.items() if known.casefold() == name.casefold()), None)


def unknown_model(name: str) -> str:
    """What to tell somebody who asked for a model that there is not."""
    here = ", ".join([*bundled_models(), *installed_models()]) or "none"
    public = ", ".join(model.name for model in KNOWN_MODELS)
    return (
        f"There is no model called '{name}'. On this computer: {here}. To be fetched with "
        f"'msam-segment download NAME': {public}. A checkpoint file can be given by its path."
    )


def _models_in(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    try:
        named = sorted(path for path in folder.glob("*") if path.suffix in suffixes and is_model_name(path.stem))
        files = [path for path in named if path.is_file()]  # and no link to one that is gone
    except PermissionError:
        # A service whose user has no home of its own: nothing there is of use to it, and the bundled models are.
        files = []
    return {path.stem: path for path in files}  # of two of one name the later suffix wins, which is safetensors


def _entry(name: str, origin: Literal["bundled", "installed"], path: Path) -> ModelEntry:
    size = path.stat().st_size
    public = known_model(name)
    if path.suffix != ".safetensors":
        licence, description = (public.licence, public.description) if public else ("", "a PyTorch checkpoint")
        return ModelEntry(name, origin, path, size, licence, description)
    try:
        metadata = read_header(path).metadata
    except CheckpointError as error:
        return ModelEntry(name, origin, path, size, "", f"Cannot be used: {error}")
    return ModelEntry(name, origin, path, size, metadata.get("licence", ""), metadata.get("description", ""))
