"""The user's own models: taking a file in, and removing one. Neither needs a network."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from msam.checkpoints.atomic import replacing
from msam.checkpoints.catalogue import (
    PARTIAL_SUFFIXES,
    SUFFIXES,
    bundled_models,
    find_model,
    installed_models,
    is_model_name,
    models_folder,
    unknown_model,
)
from msam.checkpoints.known import KNOWN_MODELS, KnownModel, sha256_of
from msam.errors import CheckpointError


def import_file(path: str | Path, name: str | None = None) -> Path:
    """Take a checkpoint file into the user's models; it is read and checked whole, and kept as safetensors.

    Args:
        path: a file that `read_checkpoint` reads.
        name: what to call it; None takes a known public model's name, else the file's.

    Returns:
        Its file among the user's models.

    Raises:
        CheckpointError: it cannot be read, or the name is not possible or taken.
    """
    from msam.checkpoints.reading import read_checkpoint  # waits for torch, which removing a model need not
    from msam.checkpoints.writing import SUFFIX, write_checkpoint

    path = Path(path).expanduser()
    public = _public_model_in(path)
    name = name or (public.name if public else re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-."))
    if not is_model_name(name):
        raise CheckpointError(
            f"'{name:.64}' cannot be a model's name: use letters, digits, dots, dashes and underscores, "
            "without a file's suffix (--name NAME)."
        )
    if find_model(name, bundled_models()):
        raise CheckpointError(f"A model that comes with the program is called '{name}': choose another --name.")
    if find_model(name, installed_models()):
        raise CheckpointError(
            f"There is a model called '{name}' already: choose another --name, or remove it first with: "
            f"msam-segment remove {name}"
        )

    checkpoint = read_checkpoint(path)
    target = models_folder() / f"{name}{SUFFIX}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == SUFFIX:
            with replacing(target) as temporary:
                shutil.copyfile(path, temporary)
            return target
    except OSError as error:
        raise CheckpointError(f"The model cannot be stored in {target.parent}: {error.strerror}.") from error
    metadata = dict(checkpoint.metadata)
    if public:
        metadata.update(licence=public.licence, attribution=public.attribution, description=public.description)
    write_checkpoint(target, checkpoint.state_dict, checkpoint.config, metadata)
    return target


def check_removable(name: str) -> list[Path]:
    """The files of one of the user's models, and what an interrupted download of it has left.

    Raises:
        CheckpointError: there is no such model, or it comes with the program.
    """
    wanted = {f"{name}{suffix}{rest}".casefold() for suffix in SUFFIXES for rest in ("", *PARTIAL_SUFFIXES)}
    files = [path for path in models_folder().glob("*") if path.name.casefold() in wanted]
    if files:
        return files
    if find_model(name, bundled_models()):
        raise CheckpointError(f"The model '{name}' comes with the program and cannot be removed.")
    raise CheckpointError(unknown_model(name))


def remove(name: str) -> None:
    """Delete one of the user's models.

    Raises:
        CheckpointError: there is no such model, it comes with the program, or its file cannot be deleted.
    """
    for path in check_removable(name):
        try:
            path.unlink()
        except OSError as error:
            raise CheckpointError(f"The file {path} cannot be removed: {error.strerror}.") from error


def _public_model_in(path: Path) -> KnownModel | None:
    """The public model whose very file this is."""
    if not path.is_file():
        return None
    size = path.stat().st_size
    candidates = [model for model in KNOWN_MODELS if model.sha256 and model.size == size]
    digest = sha256_of(path) if candidates else None
    return next((model for model in candidates if model.sha256 == digest), None)
