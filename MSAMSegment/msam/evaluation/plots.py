"""Dice against clicks as a picture. Needs matplotlib, which comes with the extra `cli`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msam.checkpoints.atomic import replacing
from msam.errors import MsamError
from msam.evaluation.markdown import noted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
LEGEND_COLUMNS = (1, 3, 6)  # that fit below so many panels beside each other
PANEL_INCHES, LEGEND_INCHES = (3.6, 2.9), (1.6, 0.9, 0.7)
DPI = 150
MODEL, REFINED = "#c2410c", "#8b949e"
BASELINES = ("#1d4ed8", "#047857", "#7c3aed", "#0e7490")


def plot_dice(path: Path, summary: Mapping[str, Any]) -> None:
    """Draws one panel for each data set: the model with its interval, the mask of one click refined, the baselines.

    Args:
        path: where to, .png.
        summary: from `msam.evaluation.summary.summarise`, with `model`.

    Raises:
        MsamError: matplotlib is missing, or the path cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MsamError('A plot needs matplotlib; install it with: pip install "msam-segment[cli]"') from error

    datasets = {name: figures for name, figures in summary["datasets"].items() if figures["targets"]}
    columns = max(1, min(COLUMNS, len(datasets)))
    rows = -(-max(1, len(datasets)) // columns)
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + LEGEND_INCHES[columns - 1])
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, figures) in zip(panels, datasets.items(), strict=False):
        _draw(axes, name, figures, summary)
    for axes in panels[len(datasets) :]:
        axes.set_visible(False)
    entries: dict[str, Any] = {}
    for axes in panels[: len(datasets)]:
        entries.update(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if entries:
        figure.legend(
            entries.values(),
            entries.keys(),
            loc="outside lower center",
            ncol=min(len(entries), LEGEND_COLUMNS[columns - 1]),
            frameon=False,
            fontsize=9,
            title="* is given more than the clicks" if summary["notes"] else None,
            title_fontsize=8,
        )
    try:
        with replacing(path) as unfinished:
            figure.savefig(unfinished, format="png", metadata={"Software": None})
    except OSError as error:
        raise MsamError(f"The plot '{path.name}' cannot be written: {error.strerror}.") from error


def _draw(axes: Axes, name: str, figures: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    dice, intervals = figures["dice"], figures["intervals"]["dice"]
    steps = range(1, len(figures["dice_per_click"]) + 1)
    axes.plot(steps, figures["dice_per_click"], color=MODEL, lw=2, label=summary["model"])
    counts = [count for count in dice if intervals[count]]
    axes.vlines(
        [int(count) for count in counts],
        [intervals[count][0] for count in counts],
        [intervals[count][1] for count in counts],
        color=MODEL,
        lw=1.2,
    )
    axes.plot([int(count) for count in dice], list(dice.values()), "o", color=MODEL, ms=4)
    if "refine" in figures:
        course = figures["dice_per_refinement"]
        label = f"{summary['model']}, 1 click, then refined"
        axes.plot(range(1, len(course) + 1), course, color=REFINED, ls="--", label=label)
    for number, baseline in enumerate(figures["baselines"]):
        found = figures["baselines"][baseline]["dice"]
        colour = BASELINES[number % len(BASELINES)]
        label = noted(baseline, summary)
        axes.plot([int(count) for count in found], list(found.values()), "s-", color=colour, ms=3, lw=1, label=label)
    objects = "1 object" if figures["targets"] == 1 else f"{figures['targets']} objects"
    axes.set_title(f"{name} ({objects})", fontsize=10)
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0.7)
    axes.set_xlabel("clicks (or 1 + refinements)", fontsize=8)
    axes.set_ylabel("mean Dice", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
