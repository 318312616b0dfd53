"""The options that several commands share, and what they are made into."""

from __future__ import annotations

import math
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from msam.clicks import Click, as_position
from msam.errors import MsamError, PromptError
from msam.volume import Frame, Volume

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Farthest that a corner of a mask may lie from where its scan has it, in mm: NIfTI keeps geometry in float32.
SAME_PLACE = 0.01


class FrameName(StrEnum):
    """The frames of positions on the command line."""

    IJK = "ijk"
    RAS = "ras"
    LPS = "lps"

    @property
    def frame(self) -> Frame:
        """For the engine."""
        return self.value


FrameOption = Annotated[
    FrameName, typer.Option("--frame", help="What positions are in: voxels (ijk), or mm in RAS or LPS.")
]
ModelOption = Annotated[
    str, typer.Option("--model", help="A model's name, as 'msam-segment models' lists it, or a file.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps; auto takes a graphics card where there is one.")
]
RefineOption = Annotated[
    int, typer.Option("--refine", min=0, max=100, help="Times the mask is fed back to be refined, without a new click.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else, for scripts.")]


def a_number(value: float | None) -> float | None:
    """What an option was given, if that is a number that one can reckon with.

    Raises:
        typer.BadParameter: infinity, or no number at all.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no finite number.")
    return value


def clicks_from(texts: list[str], positive: bool, frame: Frame, option: str) -> list[Click]:
    """The clicks that an option was given, each as `254,301,44`.

    Raises:
        PromptError: a text that is not three numbers.
    """
    clicks = []
    for text in texts:
        numbers = re.split(r"[\s,;]+", text.strip())
        clicks.append(Click(as_position(numbers, f"{option} {text}"), positive, frame))
    return clicks


def read_mask_prompt(path: Path, volume: Volume) -> npt.NDArray[np.bool_]:
    """An existing mask of a scan, (K, J, I); every voxel that is not zero is inside.

    Raises:
        VolumeError: it cannot be read.
        PromptError: it lies on another grid than the scan, or nothing is inside.
    """
    import numpy as np

    mask = Volume.read(path)
    if mask.voxels.shape != volume.voxels.shape:
        raise PromptError(
            f"The mask {path.name} is {_size(mask)} voxels large and the scan {_size(volume)}; a mask must lie on the "
            "grid of its scan."
        )
    corners = np.array(np.meshgrid(*([0, length - 1] for length in volume.shape_ijk), [1])).reshape(4, -1)
    shift = np.linalg.norm(((mask.ijk_to_ras - volume.ijk_to_ras) @ corners)[:3], axis=0).max()
    if shift > SAME_PLACE:
        raise PromptError(
            f"The mask {path.name} lies {shift:.1f} mm away from where the scan is; it belongs to another one."
        )
    inside: npt.NDArray[np.bool_] = mask.voxels != 0
    if not inside.any():
        raise PromptError(f"The mask {path.name} is empty; leave --mask-prompt out to start without one.")
    return inside


def make_folder(folder: Path) -> None:
    """Makes a folder for results where there is none, and sure, before hours of work, that it can be written into.

    Raises:
        MsamError: it cannot; the text says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MsamError(f"The folder '{folder}' cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise MsamError(f"Nothing may be written into the folder '{folder}'; choose another one.")


def check_mask_path(path: Path, *, overwrite: bool) -> None:
    """Makes sure, before any work is done, that a mask can be written.

    Raises:
        MsamError: it cannot; the text says why.
    """
    from msam.io.writer import ENDINGS

    _check_path(path, ENDINGS, overwrite)


def check_picture_path(path: Path, *, overwrite: bool) -> None:
    """The same for a picture.

    Raises:
        MsamError: it cannot be written; the text says why.
    """
    _check_path(path, (".png",), overwrite)


def _check_path(path: Path, endings: tuple[str, ...], overwrite: bool) -> None:
    if not path.name.lower().endswith(endings):
        raise MsamError(f"'{path.name}' has no ending that can be written here; choose one of {', '.join(endings)}.")
    if not path.parent.is_dir():
        raise MsamError(f"The folder '{path.parent}' does not exist; create it first.")
    if not os.access(path.parent, os.W_OK):
        raise MsamError(f"Nothing may be written into the folder '{path.parent}'; choose another one.")
    if path.is_dir():
        raise MsamError(f"'{path}' is a folder; give the name of a file.")
    if path.exists() and not overwrite:
        raise MsamError(f"'{path}' is there already; add --overwrite to replace it.")


def _size(volume: Volume) -> str:
    return " × ".join(map(str, volume.shape_ijk))
