"""`msam-segment evaluate`: how well a model does on labelled scans, with simulated clicks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

import msam
from msam.checkpoints.atomic import replacing
from msam.cli.arguments import DeviceOption, ModelOption, OverwriteOption, make_folder
from msam.cli.errors import reports_errors
from msam.errors import MsamError
from msam.exit_codes import EXIT_CODES, ExitCode
from msam.manifest import MANIFEST, Case, read_manifest


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("evaluate", epilog=EXIT_CODES)(evaluate_command)


@reports_errors
def evaluate_command(
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="Labelled scans: a manifest.json, or a folder as for `train`, split in the same way."
        ),
    ],
    split: Annotated[str, typer.Option("--split", help="Which part of them.")] = "val",
    clicks: Annotated[int, typer.Option("--clicks", min=1, max=100, help="Clicks on every object.")] = 10,
    refine: Annotated[
        int, typer.Option("--refine", min=0, max=100, help="Times the first click's mask is refined without another.")
    ] = 5,
    model: ModelOption = "compact",
    device: DeviceOption = "auto",
    datasets: Annotated[
        str | None, typer.Option("--datasets", metavar="A,B", help="These data sets only; otherwise all.")
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option("--baselines", metavar="A,B", help="To be given the same clicks: region-growing, random-walker."),
    ] = None,
    programs: Annotated[
        list[str] | None,
        typer.Option("--program", metavar="NAME=COMMAND", help="A baseline in a program of its own; repeatable."),
    ] = None,
    nodules: Annotated[
        int, typer.Option("--nodules", min=0, help="So many procedural lung nodules in the manifest's chest CT, too.")
    ] = 0,
    cases: Annotated[
        int | None, typer.Option("--cases", min=1, help="The first so many scans of each data set only.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap intervals.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="All figures, as JSON.")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Folder for tables, the plot and pictures of the worst objects.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Measures a model on labelled scans, with simulated clicks.

    The first click is the deepest point of each object, each next one the deepest point of the largest error.
    Prints Dice as a Markdown table; more comes with --json and --report.
    """
    from msam.evaluation.baselines.program import running
    from msam.evaluation.baselines.registry import baselines_named
    from msam.evaluation.evaluator import evaluate
    from msam.evaluation.markdown import notes, refine_table, table
    from msam.evaluation.plan import Plan
    from msam.evaluation.report import REPORT, write_report
    from msam.evaluation.summary import summarise

    if (data / MANIFEST).is_file():
        data = data / MANIFEST
    chosen = _chosen([*_labelled(data, split), *_nodules(data, nodules)], _names(datasets), cases)
    compared = baselines_named(_names(baselines))
    plan = Plan(clicks, refine)
    if json_path is not None:
        _check_file(json_path, overwrite)
    if report is not None and (report / REPORT).exists() and not overwrite:
        raise MsamError(f"'{report / REPORT}' is there already; add --overwrite to replace it.")
    if report is not None:
        make_folder(report)
    loaded = msam.load_model(model, device)

    with running(programs or []) as started:
        evaluation = evaluate(loaded, chosen, plan, {**compared, **started}, lambda line: typer.echo(line, err=True))
    summary = {"model": loaded.config.name, "split": split, **summarise(evaluation, chosen, plan, seed)}
    if json_path is not None:
        _write_json(json_path, summary)
    typer.echo(table(summary))
    if summary["notes"]:
        typer.echo("\n" + notes(summary))
    if plan.refinements:
        typer.echo("\n" + refine_table(summary))
    if report is not None:
        typer.echo(f"\nThe report is {write_report(report, evaluation, summary)}.", err=True)
    for failure in evaluation.failures:
        typer.echo(f"Failed: {failure.case.dataset} {failure.case.case} {failure.what}: {failure.message}", err=True)
    if evaluation.failures:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _names(text: str | None) -> list[str]:
    """What a list such as `a,b` names."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _labelled(data: Path, split: str) -> list[Case]:
    """The cases of a split: a manifest's own; of a folder without one, that which training makes of it."""
    if not data.is_dir():
        return read_manifest(data, split)
    from msam.training.layouts import find_cases

    found = dict(zip(("train", "val"), find_cases(data), strict=True))
    if split not in found:
        raise MsamError(f"The scans of a folder are split into {' and '.join(found)}; there is no split {split!r}.")
    return found[split]


def _chosen(cases: list[Case], datasets: list[str], most: int | None) -> list[Case]:
    """The cases of the given data sets, or of all, no more than `most` of each."""
    known = dict.fromkeys(case.dataset for case in cases)
    for name in datasets:
        if name not in known:
            raise MsamError(f"This split has no data set {name!r}; choose among {', '.join(known)}.")
    wanted = datasets or list(known)
    return [case for name in wanted for case in [case for case in cases if case.dataset == name][:most]]


def _nodules(data: Path, count: int) -> list[Case]:
    """Procedural nodules in the first CT of the manifest's examples."""
    if not count:
        return []
    from msam.evaluation.nodules import nodule_cases

    examples = [] if data.is_dir() else read_manifest(data, "example")
    chest = next((case for case in examples if case.modality == "CT"), None)
    if chest is None:
        raise MsamError(f"Nodules are painted into a chest CT, and the split 'example' of '{data.name}' has no CT.")
    return nodule_cases(chest, count)


def _check_file(path: Path, overwrite: bool) -> None:
    """Makes sure, before hours of work, that a file can be written."""
    if path.is_dir():
        raise MsamError(f"'{path}' is a folder; give the name of a file.")
    if not path.parent.is_dir():
        raise MsamError(f"The folder '{path.parent}' does not exist; create it first.")
    if not os.access(path.parent, os.W_OK):
        raise MsamError(f"Nothing may be written into the folder '{path.parent}'; choose another one.")
    if path.exists() and not overwrite:
        raise MsamError(f"'{path}' is there already; add --overwrite to replace it.")


def _write_json(path: Path, summary: dict[str, Any]) -> None:
    try:
        with replacing(path) as unfinished:
            unfinished.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise MsamError(f"'{path}' cannot be written: {error.strerror}.") from error
