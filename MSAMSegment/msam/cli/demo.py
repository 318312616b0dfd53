"""`msam-segment demo`, which is what `make demo` runs: one click, three times refined, and a picture of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import msam
from msam.cli.arguments import DeviceOption, ModelOption, make_folder
from msam.cli.errors import reports_errors
from msam.cli.outcome import progress_bar
from msam.demo import find_case
from msam.evaluation.overlap import dice
from msam.exit_codes import EXIT_CODES, ExitCode
from msam.measurements import measure
from msam.preview import write_preview

REFINEMENTS = 3


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("demo", epilog=EXIT_CODES)(demo_command)


@reports_errors
def demo_command(
    model: ModelOption = "compact",
    device: DeviceOption = "auto",
    phantom: Annotated[
        bool, typer.Option("--phantom", help="Take the computed phantom even where the CT is there.")
    ] = False,
    output_folder: Annotated[Path, typer.Option("--output-folder", "-o", help="Where mask and picture go.")] = Path(
        "demo-output"
    ),
) -> None:
    """Segments a lesion from one click, refines it, and draws a picture. Nothing to prepare, nothing to download."""
    console = Console(highlight=False)
    started = time.perf_counter()
    make_folder(output_folder)

    with progress_bar("Reading the scan") as report:
        case = find_case(phantom=phantom)
        report(0.0, "Loading the model")
        loaded = msam.load_model(model, device)
        ready = time.perf_counter()
        session = msam.Session(loaded, case.volume, progress=report)
        session.add_point(case.click)
        steps = [("after the click", session.segment(), session.mask, time.perf_counter() - ready)]
        if not steps[0][1].is_empty:
            begun = time.perf_counter()
            steps.append(("refined", session.refine(REFINEMENTS), session.mask, time.perf_counter() - begun))
        _, result, mask, _ = steps[-1]
        sizes = measure(mask, case.volume)
        mask_path, picture_path = output_folder / "mask.nii.gz", output_folder / "preview.png"
        case.volume.write_mask(mask, mask_path)
        caption = (
            f"{sizes.volume_ml:.1f} mL  ·  {sizes.longest_diameter_mm:.0f} mm  ·  Dice {dice(mask, case.truth):.2f}"
        )
        write_preview(picture_path, case.volume, mask, session.points, truth=case.truth, caption=caption)

    i, j, k = case.click
    console.print(
        f"\n[bold]One click[/bold] at ({i}, {j}, {k}) on {case.description}, with the model {model}:\n", soft_wrap=True
    )
    table = Table("", "Dice with the truth", "Quality", "Seconds", box=None, header_style="dim", padding=(0, 2))
    for name, step, step_mask, seconds in steps:
        table.add_row(name, f"[bold]{dice(step_mask, case.truth):.3f}[/bold]", f"{step.quality:.2f}", f"{seconds:.2f}")
    console.print(table)
    console.print(
        f"\n  {sizes.volume_ml:.1f} mL, longest diameter {sizes.longest_diameter_mm:.0f} mm. "
        f"{time.perf_counter() - started:.1f} seconds in all, loading included.\n"
    )
    for name, path in (("Picture", picture_path), ("Mask", mask_path)):
        console.print(f"  {name:<8} [cyan]{path}[/cyan]", soft_wrap=True)
    console.print("\n[dim]Try your own scan next; the point is a voxel (i, j, k) inside the lesion:[/dim]")
    console.print(
        "  msam-segment segment SCAN --point 254,301,44 --refine 3 -o mask.nii.gz --preview preview.png\n",
        markup=False,
        soft_wrap=True,
    )
    if result.is_empty:
        console.print(f"{result.message}")
        raise typer.Exit(ExitCode.EMPTY_MASK)
