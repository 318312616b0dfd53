"""The commands that deal with models: convert, models, download, import, remove."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from msam.checkpoints.catalogue import (
    ModelEntry,
    find_model,
    installed_models,
    list_models,
    models_folder,
    unknown_model,
)
from msam.checkpoints.known import KnownModel, known_model
from msam.checkpoints.wording import megabytes
from msam.cli.errors import reports_errors
from msam.errors import CheckpointError
from msam.exit_codes import EXIT_CODES

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("convert", epilog=EXIT_CODES)(convert_command)
    app.command("models", epilog=EXIT_CODES)(models_command)
    app.command("download", epilog=EXIT_CODES)(download_command)
    app.command("import", epilog=EXIT_CODES)(import_command)
    app.command("remove", epilog=EXIT_CODES)(remove_command)


@reports_errors
def convert_command(
    source: Annotated[Path, typer.Argument(help="A checkpoint of SAM-Med3D or M-SAM (.pth), or one of ours.")],
    destination: Annotated[Path, typer.Argument(help="The file to write; its name ends in .safetensors.")],
) -> None:
    """Convert a checkpoint to safetensors, which loads faster and can hold nothing but numbers."""
    from msam.checkpoints.writing import convert  # here, since torch takes seconds to import

    convert(source, destination)
    typer.echo(f"Wrote {destination} ({megabytes(destination.stat().st_size)}).")


@reports_errors
def models_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List the models: bundled, installed, and public ones that can be downloaded."""
    entries = list_models()
    if as_json:
        typer.echo(json.dumps([_as_json(entry) for entry in entries], indent=2))
        return
    table = Table("Name", "", "Size", "Licence", "Description")
    for entry in entries:
        state = "can be downloaded" if entry.origin == "known" else entry.origin
        table.add_row(entry.name, state, megabytes(entry.size), entry.licence or "not stated", entry.description)
    Console().print(table)
    typer.echo(f"Your own models are kept in {models_folder()}.")


@reports_errors
def download_command(
    name: Annotated[str, typer.Argument(help="The name of a public model, as 'models' lists it.")],
    yes: Yes = False,
) -> None:
    """Download a public model, after showing its size and licence."""
    model = known_model(name)
    if model is None:
        raise CheckpointError(unknown_model(name))
    if find_model(model.name, installed_models()):
        typer.echo(f"The model '{model.name}' is installed already.")
        return
    typer.echo(f"{model.name}: {model.description}")
    typer.echo(f"  from     {model.repository} ({model.url})")
    typer.echo(f"  by       {model.attribution}")
    typer.echo(f"  size     {megabytes(model.size)}")
    typer.echo(f"  licence  {model.licence}")
    typer.echo(f"  to       {models_folder()}")
    if not (yes or typer.confirm("Download it?")):
        typer.echo("Nothing was downloaded.")
        return
    path = _download_with_bar(model)
    typer.echo(f"Downloaded and checked: {path}")
    typer.echo(f"Use it with: msam-segment segment SCAN --model {model.name} ...")


@reports_errors
def import_command(
    file: Annotated[Path, typer.Argument(help="A checkpoint of SAM-Med3D or M-SAM (.pth), or one of ours.")],
    name: Annotated[str | None, typer.Option("--name", help="What to call it; else as the file is called.")] = None,
) -> None:
    """Take a checkpoint file into your models. Works offline."""
    from msam.checkpoints.library import import_file

    path = import_file(file, name)
    typer.echo(f"Imported as '{path.stem}'. Use it with: msam-segment segment SCAN --model {path.stem} ...")


@reports_errors
def remove_command(
    name: Annotated[str, typer.Argument(help="The name of an installed model.")],
    yes: Yes = False,
) -> None:
    """Delete one of your models, or what an interrupted download of it has left."""
    from msam.checkpoints.library import check_removable, remove

    check_removable(name)
    if not (yes or typer.confirm(f"Delete the model '{name}' from {models_folder()}?")):
        typer.echo("Nothing was deleted.")
        return
    remove(name)
    typer.echo(f"Deleted the model '{name}'.")


def _download_with_bar(model: KnownModel) -> Path:
    from msam.checkpoints.download import download

    columns = (TextColumn(model.name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(model.name, total=model.size)
        return download(
            model,
            models_folder(),
            progress=lambda received, total: bar.update(task, completed=received, total=total),
        )


def _as_json(entry: ModelEntry) -> dict[str, object]:
    values = dataclasses.asdict(entry)
    return {**values, "path": str(entry.path) if entry.path else None}
