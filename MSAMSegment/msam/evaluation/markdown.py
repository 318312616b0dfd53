"""The report as Markdown: tables of all figures, the worst objects, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TITLES = {
    "dice": "Dice",
    "nsd_2mm": "Normalised surface distance (2 mm)",
    "hd95_mm": "95 % Hausdorff distance in mm",
    "volume_error": "Volume error (share of the true volume)",
}
# After the name of a method that knows more than the clicks.
NOTED = " *"
DECIMALS = {"dice": 3, "nsd_2mm": 3, "hd95_mm": 1, "volume_error": 2}


def table(summary: Mapping[str, Any], metric: str = "dice") -> str:
    """One metric of the model and of all baselines, by number of clicks, with intervals.

    Args:
        summary: from `msam.evaluation.summary.summarise`, with `model`.
        metric: its name there.
    """
    datasets = summary["datasets"]
    counts = list(dict.fromkeys(count for figures in datasets.values() for count in figures[metric]))
    rows = []
    for name, figures in datasets.items():
        for method, found in ((summary["model"], figures), *figures["baselines"].items()):
            first = (name, _counted(figures)) if found is figures else ("", "")
            named = noted(method, summary) if found is not figures else method
            rows.append((*first, named, *(_cell(found, metric, count) for count in counts)))
    return _table(("data set", "scans / objects / patients", "method", *map(_clicks, counts)), rows)


def noted(baseline: str, summary: Mapping[str, Any]) -> str:
    """The name of a baseline, with a mark where it knows more than the clicks."""
    return baseline + (NOTED if baseline in summary["notes"] else "")


def notes(summary: Mapping[str, Any]) -> str:
    """What the marked baselines know beside the clicks, a line each; empty where there are none."""
    return "\n".join(f"\\* {name} {note}." for name, note in summary["notes"].items())


def refine_table(summary: Mapping[str, Any]) -> str:
    """Dice of the first click's mask, refined without another click."""
    datasets = summary["datasets"]
    counts = list(dict.fromkeys(count for figures in datasets.values() for count in figures["refine"]["dice"]))
    rows = [
        (name, *(_cell(figures["refine"], "dice", count) for count in counts)) for name, figures in datasets.items()
    ]
    return _table(("data set", *("1 click" if count == "0" else f"refined {count} ×" for count in counts)), rows)


def document(summary: Mapping[str, Any], worst: Mapping[str, Sequence[Mapping[str, Any]]], plot: str) -> str:
    """The whole report.

    Args:
        summary: from `msam.evaluation.summary.summarise`, with `model`, `split`.
        worst: by data set, the objects with the lowest Dice: `case`, `target`, `dice_per_click`, `picture`.
        plot: file name of the picture of Dice against clicks.
    """
    parts = [
        f"# Evaluation of {summary['model']} on the split `{summary['split']}`",
        "Simulated clicks: the first at the deepest point of the object, each next one at the deepest point of the "
        "largest error region. Means over all objects; in brackets 95 % bootstrap intervals over patients. Baselines "
        "are given the clicks that the model was given; an asterisk marks those that know more than that.",
        f"![Dice against clicks]({plot})",
    ]
    for metric, title in TITLES.items():
        parts += [f"## {title}", table(summary, metric), *filter(None, [notes(summary)])]
    if summary["refinements"]:
        parts += ["## Dice after one click, then refined without another one", refine_table(summary)]
    parts += [
        "## Dice of each kind of object",
        _kinds(summary),
        "## The worst objects of each data set",
        "The mask is drawn with a full line, the truth dashed. Three of each data set, and more where more of them "
        "have a Dice below 0.5 after the last click.",
    ]
    for name, objects in worst.items():
        figures = summary["datasets"][name]
        counted = f"Below 0.5 after the last click: {figures['below_half']} of {figures['targets']}."
        parts += [f"### {name}", counted, *(_shown(entry) for entry in objects)]
    if summary["failures"]:
        rows = [(f["dataset"], f["case"], f["what"], f["message"]) for f in summary["failures"]]
        parts += ["## What failed", _table(("data set", "case", "what", "why"), rows)]
    return "\n\n".join(parts) + "\n"


def _kinds(summary: Mapping[str, Any]) -> str:
    datasets = summary["datasets"]
    counts = list(dict.fromkeys(count for figures in datasets.values() for count in figures["dice"]))
    rows = [
        (name, kind, str(found["targets"]), *(f"{found['dice'][count]:.3f}" for count in counts))
        for name, figures in datasets.items()
        for kind, found in figures["by_target"].items()
    ]
    return _table(("data set", "object", "objects", *map(_clicks, counts)), rows)


def _shown(entry: Mapping[str, Any]) -> str:
    course = " → ".join(f"{value:.2f}" for value in entry["dice_per_click"])
    return f"{entry['case']}, {entry['target']}: Dice {course}\n\n![{entry['case']}]({entry['picture']})"


def _counted(figures: Mapping[str, Any]) -> str:
    failed = f", {figures['failed']} failed" if figures["failed"] else ""
    return f"{figures['cases']} / {figures['targets']} / {figures['patients']}{failed}"


def _cell(figures: Mapping[str, Any], metric: str, count: str) -> str:
    if count not in figures[metric]:
        return "–"
    decimals, ends = DECIMALS[metric], figures["intervals"][metric][count]
    interval = f" ({ends[0]:.{decimals}f}–{ends[1]:.{decimals}f})" if ends else ""
    return f"{figures[metric][count]:.{decimals}f}{interval}"


def _clicks(count: str) -> str:
    return f"{count} click" if count == "1" else f"{count} clicks"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *escaped]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
