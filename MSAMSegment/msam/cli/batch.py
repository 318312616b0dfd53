"""`msam-segment batch`: many scans, one table of clicks."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import msam
from msam.checkpoints.atomic import replacing
from msam.cli.arguments import (
    DeviceOption,
    FrameName,
    FrameOption,
    JsonOption,
    ModelOption,
    OverwriteOption,
    RefineOption,
    check_mask_path,
    make_folder,
)
from msam.cli.batch_table import Task, read_tasks
from msam.cli.errors import reports_errors, unexpected
from msam.cli.outcome import Outcome, Report, progress_bar, run
from msam.errors import MsamError
from msam.exit_codes import EXIT_CODES, ExitCode
from msam.volume import Volume

if TYPE_CHECKING:
    from msam.model.model import Model

REPORT = "report.csv"
REPORT_COLUMNS = (
    "scan", "name", "mask", "status", "volume_ml", "longest_diameter_mm", "axial_diameter_mm", "axial_perpendicular_mm",
    "quality", "seconds", "message",
)  # fmt: skip
STYLES = {"done": "green", "empty": "yellow", "failed": "red"}


@dataclass(frozen=True)
class Entry:
    """What became of one lesion: "done", "empty" (its mask has no voxel) or "failed" (there is no mask)."""

    task: Task
    status: str
    message: str
    seconds: float
    outcome: Outcome | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "scan": self.task.scan,
            "name": self.task.name,
            "mask": self.task.output if self.outcome else None,
            "status": self.status,
            **(self.outcome.to_dict() if self.outcome else {}),
            "message": self.message,
            "seconds": round(self.seconds, 3),
        }


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("batch", epilog=EXIT_CODES)(batch_command)


@reports_errors
def batch_command(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV with a header and one row per click: scan (a path, from the table's folder), i j k or x y z with "
            "frame, and where wanted label (positive or negative), name (of the lesion) and output (of its mask)."
        ),
    ],
    output_folder: Annotated[Path, typer.Option("--output-folder", "-o", help="Where masks and report.csv go.")],
    frame: FrameOption = FrameName.IJK,
    refine: RefineOption = 0,
    model: ModelOption = "compact",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Segments the lesions of many scans. A scan that fails is reported at the end and does not stop the others."""
    tasks = read_tasks(table, frame.frame)
    make_folder(output_folder)
    for task in tasks:
        check_mask_path(output_folder / task.output, overwrite=overwrite)
    if (output_folder / REPORT).exists() and not overwrite:
        raise MsamError(f"'{output_folder / REPORT}' is there already; add --overwrite to replace it.")

    entries: list[Entry] = []
    try:
        with progress_bar("Loading the model") as report:
            loaded = msam.load_model(model, device)
            for entry in _work(tasks, loaded, output_folder, refine, report):
                entries.append(entry)
    finally:
        if entries:
            _write_report(output_folder / REPORT, entries)

    counts = {status: sum(entry.status == status for entry in entries) for status in STYLES}
    if as_json:
        typer.echo(json.dumps({**counts, "scans": [entry.to_dict() for entry in entries]}, indent=2))
    else:
        _print_summary(entries, counts, output_folder)
    if counts["failed"]:
        raise typer.Exit(ExitCode.SOME_FAILED)
    if counts["empty"]:
        raise typer.Exit(ExitCode.EMPTY_MASK)


def _work(tasks: list[Task], model: Model, folder: Path, refine: int, report: Report) -> Iterator[Entry]:
    """Works the tasks off. A scan with several lesions in a row is read once."""
    path, volume = None, None
    for number, task in enumerate(tasks):
        started = time.perf_counter()

        def share(done: float, text: str, number: int = number) -> None:
            report((number + done) / len(tasks), f"{number + 1} of {len(tasks)}: {text}")

        try:
            share(0.0, "Reading the scan")
            if volume is None or path != task.scan_path:
                path, volume = task.scan_path, None
                volume = Volume.read(task.scan_path)
            outcome = run(model, volume, task.clicks, refine=refine, report=share)
            volume.write_mask(outcome.mask, folder / task.output)
        except MsamError as error:
            yield Entry(task, "failed", str(error), time.perf_counter() - started)
        except Exception as error:
            # One scan must not cost the user the rest of the night.
            yield Entry(task, "failed", unexpected(error), time.perf_counter() - started)
        else:
            status = "empty" if outcome.result.is_empty else "done"
            yield Entry(task, status, outcome.result.message, time.perf_counter() - started, outcome)


def _write_report(path: Path, entries: list[Entry]) -> None:
    try:
        with replacing(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, REPORT_COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            for entry in entries:
                values = entry.to_dict()
                writer.writerow({key: round(v, 3) if isinstance(v, float) else v for key, v in values.items()})
    except OSError as error:
        raise MsamError(f"The report '{path}' cannot be written: {error.strerror}.") from error


def _print_summary(entries: list[Entry], counts: dict[str, int], folder: Path) -> None:
    table = Table("Scan", "Lesion", "", "Volume", "Diameter", "Quality", "Seconds", box=None, header_style="dim")
    for entry in entries:
        numbers = ("", "", "")
        if entry.outcome:
            sizes, quality = entry.outcome.measurements, entry.outcome.result.quality
            numbers = (f"{sizes.volume_ml:.2f} mL", f"{sizes.longest_diameter_mm:.1f} mm", f"{quality:.2f}")
        status = Text(entry.status, style=STYLES[entry.status])
        table.add_row(Text(entry.task.scan), Text(entry.task.name), status, *numbers, f"{entry.seconds:.1f}")
    console = Console(highlight=False)
    console.print(table)
    console.print()
    for entry in entries:
        if entry.status != "done":
            lesion = f" ({entry.task.name})" if entry.task.name else ""
            console.print(Text.assemble((f"{entry.task.scan}{lesion}: ", "bold"), entry.message), soft_wrap=True)
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.print(f"{summary}. Masks and {REPORT} are in {folder}.", markup=False, soft_wrap=True)
