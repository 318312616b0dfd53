"""The curves of a run as a picture: its loss, and Dice on training examples and in validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msam.checkpoints.atomic import replacing
from msam.errors import MsamError

INCHES, DPI = (9.0, 3.4), 130
FIRST, LAST, VALIDATION = "#8b949e", "#1d4ed8", "#c2410c"
# A curve is smoothed over this share of its length.
SMOOTHED = 0.02


def draw_curves(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Draws the records of a run.

    Args:
        path: where to, .png.
        records: of steps (`step`, `loss`, `dice_first`, `dice_last`) and of validations (`step`, `val_dice`).

    Raises:
        MsamError: matplotlib is missing, or the path cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ModuleNotFoundError as error:
        raise MsamError('Curves need matplotlib; install it with: pip install "msam-segment[cli]"') from error

    steps = [record for record in records if "loss" in record]
    validations = [record for record in records if "val_dice" in record]
    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    loss, dice = figure.subplots(1, 2)
    for axes, name, colour, label in (
        (loss, "loss", LAST, "loss"),
        (dice, "dice_first", FIRST, "training, first iteration"),
        (dice, "dice_last", LAST, "training, last iteration"),
    ):
        numbers, values = _smoothed([record["step"] for record in steps], [record[name] for record in steps])
        axes.plot(numbers, values, color=colour, lw=1.2, label=label)
    found = [record["step"] for record in validations], [record["val_dice"] for record in validations]
    dice.plot(*found, "o-", color=VALIDATION, ms=3, label="validation")
    dice.set_ylim(0, 1)
    for axes, title in ((loss, "Loss"), (dice, "Dice")):
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("steps", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    dice.legend(frameon=False, fontsize=8)
    try:
        with replacing(path) as unfinished:
            figure.savefig(unfinished, format="png", metadata={"Software": None})
    except OSError as error:
        raise MsamError(f"The curves '{path}' cannot be written: {error.strerror}.") from error


def _smoothed(steps: Sequence[int], values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Means over a few neighbouring steps, and where they lie."""
    width = max(1, round(SMOOTHED * len(values)))
    kernel = np.full(width, 1 / width)
    if not values:
        return [], []
    along = [np.convolve(np.asarray(each, dtype=np.float64), kernel, mode="valid").tolist() for each in (steps, values)]
    return along[0], along[1]
