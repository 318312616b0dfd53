"""A click as people write it down: where, in which frame, and whether it is meant to be inside or outside."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from msam.errors import PromptError
from msam.volume import Frame

FRAMES: tuple[Frame, ...] = ("ijk", "ras", "lps")

POSITIVE_WORDS = frozenset({"positive", "positives", "pos", "+", "1", "true", "yes", "foreground"})
NEGATIVE_WORDS = frozenset({"negative", "negatives", "neg", "-", "0", "false", "no", "background"})


@dataclass(frozen=True)
class Click:
    """One click.

    Attributes:
        position: three numbers in the order of the frame: voxels (i, j, k), or mm.
        positive: inside the lesion; False for a click on what is not part of it.
        frame: "ijk", "ras" or "lps".
    """

    position: tuple[float, float, float]
    positive: bool = True
    frame: Frame = "ijk"


def as_frame(value: object, where: str) -> Frame:
    """The frame that a text names, in any case.

    Raises:
        PromptError: another text; `where` tells which part of the input had it.
    """
    for frame in FRAMES:
        if isinstance(value, str) and value.strip().lower() == frame:
            return frame
    raise PromptError(f"{where}: the frame {value!r} is not known; write ijk, ras or lps.")


def as_position(values: object, where: str) -> tuple[float, float, float]:
    """Three finite numbers, given as numbers or as text.

    Raises:
        PromptError: anything else; `where` tells which part of the input had it.
    """
    numbers = [_number(value) for value in values] if isinstance(values, (list, tuple)) else []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise PromptError(f"{where}: a position needs three numbers, with a point for decimals; found {values!r}.")
    return numbers[0], numbers[1], numbers[2]


def as_positive(value: object, where: str) -> bool:
    """Whether a label means a positive click: positive or negative, 1 or 0, true or false, + or -.

    Raises:
        PromptError: anything else; `where` tells which part of the input had it.
    """
    text = str(value).strip().lower().replace("\N{MINUS SIGN}", "-")
    if text in POSITIVE_WORDS:
        return True
    if text in NEGATIVE_WORDS:
        return False
    raise PromptError(f"{where}: the label {value!r} is not known; write positive or negative, or 1 or 0.")


def positive_by_name(name: str) -> bool | None:
    """What a free name tells of its clicks: `Negative clicks`, `tumourNeg-3`, `- vessel`; None when it tells nothing.

    A leading + or - counts, else the whole words positive, pos, negative and neg, in any case, also within camelCase
    and beside digits. "Negligible" and "position" are not such words.

    Raises:
        PromptError: a name with both.
    """
    text = name.strip().replace("\N{MINUS SIGN}", "-")
    if text[:1] in ("+", "-"):
        return text[0] == "+"
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}
    positive = not words.isdisjoint({"positive", "positives", "pos"})
    negative = not words.isdisjoint({"negative", "negatives", "neg"})
    if positive and negative:
        raise PromptError(f"The name {name!r} says both positive and negative; use two lists, one for each.")
    return positive if positive or negative else None


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
