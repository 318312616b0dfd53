"""A folder with all there is to show: tables, the plot, and pictures of the worst objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msam.checkpoints.atomic import replacing
from msam.errors import MsamError
from msam.evaluation.markdown import document
from msam.evaluation.plots import plot_dice
from msam.evaluation.results import Evaluation, TargetResult
from msam.evaluation.target import read_targets
from msam.preview import write_preview
from msam.session.masks import CroppedMask
from msam.session.prompts import Point

REPORT, PLOT, PICTURES = "report.md", "dice.png", "worst"


def write_report(folder: Path, evaluation: Evaluation, summary: Mapping[str, Any]) -> Path:
    """Writes `report.md`, `dice.png` and `worst/*.png`, named after data set, case and object.

    Args:
        folder: where to; made where it is missing.
        evaluation: what was found.
        summary: from `msam.evaluation.summary.summarise`, with `model` and `split`.

    Returns:
        The Markdown file.

    Raises:
        MsamError: something cannot be written, or a scan can no longer be read.
    """
    try:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        plot_dice(folder / PLOT, summary)
        worst = {name: _pictures(folder, evaluation, name) for name in summary["datasets"]}
        with replacing(folder / REPORT) as unfinished:
            unfinished.write_text(document(summary, worst, PLOT), encoding="utf-8")
    except OSError as error:
        raise MsamError(f"The report cannot be written into '{folder}': {error.strerror}.") from error
    return folder / REPORT


def _pictures(folder: Path, evaluation: Evaluation, dataset: str) -> list[dict[str, Any]]:
    entries = []
    for result, mask in evaluation.worst(dataset):
        name = f"{PICTURES}/{_file_name(dataset, result.case.case, result.name)}.png"
        _draw(folder / name, result, mask)
        entries.append({**result.to_dict(), "picture": name})
    return entries


def _draw(path: Path, result: TargetResult, mask: CroppedMask) -> None:
    target = next(target for target in read_targets(result.case) if target.name == result.name)
    points = [Point(number, click.position, click.positive) for number, click in enumerate(result.clicks, start=1)]
    clicks = "1 click" if len(points) == 1 else f"{len(points)} clicks"
    caption = f"{result.name}  ·  Dice {result.dice[-1]:.2f} after {clicks}"
    whole = mask.whole(target.volume.shape_ijk)
    write_preview(path, target.volume, whole, points, truth=target.truth, caption=caption)


def _file_name(*parts: str) -> str:
    return "_".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in parts)
