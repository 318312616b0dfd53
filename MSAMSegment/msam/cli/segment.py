"""`msam-segment segment`: one lesion of one scan."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

import msam
from msam.cli.arguments import (
    DeviceOption,
    FrameName,
    FrameOption,
    JsonOption,
    ModelOption,
    OverwriteOption,
    RefineOption,
    check_mask_path,
    check_picture_path,
    clicks_from,
    read_mask_prompt,
)
from msam.cli.errors import complain, reports_errors
from msam.cli.outcome import Outcome, progress_bar, run
from msam.cli.remote import endpoint_of, run_remote
from msam.errors import MsamError, PromptError
from msam.exit_codes import EXIT_CODES, ExitCode
from msam.points_file import read_points
from msam.volume import Volume

EXAMPLE = (
    "Example: msam-segment segment chest.nii.gz --point 254,301,44 --refine 3 -o tumour.nii.gz --preview tumour.png"
)


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("segment", epilog=f"{EXAMPLE}\n\n{EXIT_CODES}")(segment_command)


@reports_errors
def segment_command(
    context: typer.Context,
    scan: Annotated[Path, typer.Argument(help="NIfTI, NRRD or MHA file, or a DICOM folder or file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The mask: .nii, .nii.gz, .nrrd or .mha.")],
    point: Annotated[
        list[str] | None, typer.Option("--point", "-p", metavar="A,B,C", help="A click inside the lesion; repeatable.")
    ] = None,
    negative: Annotated[
        list[str] | None,
        typer.Option("--negative", "-n", metavar="A,B,C", help="A click on what is not part of it; repeatable."),
    ] = None,
    frame: FrameOption = FrameName.IJK,
    points: Annotated[
        Path | None, typer.Option("--points", help="Clicks from a file: .mrk.json of 3D Slicer, .json or .csv.")
    ] = None,
    refine: RefineOption = 0,
    model: ModelOption = "compact",
    device: DeviceOption = "auto",
    series: Annotated[
        str | None, typer.Option("--series", help="UID of the DICOM series, where there are several.")
    ] = None,
    time_point: Annotated[int, typer.Option("--time-point", min=0, help="Which volume of a 4D file, from 0.")] = 0,
    mask_prompt: Annotated[
        Path | None, typer.Option("--mask-prompt", help="A mask of the same scan to start from.")
    ] = None,
    preview: Annotated[Path | None, typer.Option("--preview", help="A picture of three planes, .png.")] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="URL", help="Work on a GPU host: https://HOST:PORT.")
    ] = None,
    engine_key: Annotated[
        Path | None, typer.Option("--engine-key", help="File with the host's key; else it is taken from MSAM_API_KEY.")
    ] = None,
    engine_certificates: Annotated[
        Path | None, typer.Option("--engine-certificates", help="Certificates to trust; else the system's.")
    ] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Segments one lesion of a scan from clicks. The mask has exactly the geometry of the scan."""
    started = time.perf_counter()
    clicks = [
        *clicks_from(point or [], True, frame.frame, "--point"),
        *clicks_from(negative or [], False, frame.frame, "--negative"),
        *(read_points(points, frame.frame) if points else []),
    ]
    if not clicks:
        raise PromptError("There is no click to start from; give --point or --points.")
    check_mask_path(output, overwrite=overwrite)
    if preview is not None:
        check_picture_path(preview, overwrite=overwrite)
    _refuse_own_input(output, scan, points, mask_prompt)
    endpoint = endpoint_of(engine, engine_key, engine_certificates) if engine else None

    with progress_bar("Reading the scan") as report:
        volume = Volume.read(scan, series=series, frame=time_point)
        prompt = read_mask_prompt(mask_prompt, volume) if mask_prompt else None
        if endpoint is not None:
            report(0.0, "Asking the engine")
            named = model if _was_given(context, "model") else None
            outcome, reply = run_remote(
                endpoint, volume, clicks, refine=refine, model=named, mask_prompt=prompt, report=report
            )
            made_with = reply.model, reply.device
        else:
            report(0.0, "Loading the model")
            loaded = msam.load_model(model, device)
            outcome = run(loaded, volume, clicks, refine=refine, mask_prompt=prompt, report=report)
            made_with = loaded.config.name, str(loaded.device)
        report(1.0, "Writing")
        volume.write_mask(outcome.mask, output)
        if preview is not None:
            _draw(preview, volume, outcome)

    seconds = time.perf_counter() - started
    if as_json:
        typer.echo(json.dumps(_as_json(scan, output, preview, made_with, outcome, seconds), indent=2))
    else:
        _print_summary(output, preview, outcome, seconds)
    if outcome.result.is_empty:
        complain(outcome.result.message)
        raise typer.Exit(ExitCode.EMPTY_MASK)


def _was_given(context: typer.Context, option: str) -> bool:
    """Whether an option was typed: an engine has a model of its own, which the default here must not replace."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _refuse_own_input(output: Path, *inputs: Path | None) -> None:
    for path in inputs:
        if path is not None and path.exists() and output.exists() and output.samefile(path):
            raise MsamError(f"'{output}' is one of the inputs; choose another name for the mask.")


def _draw(path: Path, volume: Volume, outcome: Outcome) -> None:
    from msam.preview import write_preview

    write_preview(path, volume, outcome.mask, outcome.points, caption=caption(outcome))


def caption(outcome: Outcome) -> str:
    """The numbers of a segmentation in one line."""
    sizes = outcome.measurements
    quality = f"quality {outcome.result.quality:.2f}"
    return f"{sizes.volume_ml:.1f} mL  ·  {sizes.longest_diameter_mm:.0f} mm  ·  {quality}"


def _as_json(
    scan: Path, output: Path, preview: Path | None, made_with: tuple[str, str], outcome: Outcome, seconds: float
) -> dict[str, Any]:
    return {
        "scan": str(scan),
        "mask": str(output),
        "preview": str(preview) if preview else None,
        "model": made_with[0],
        "device": made_with[1],
        **outcome.to_dict(),
        "seconds": round(seconds, 3),
    }


def _print_summary(output: Path, preview: Path | None, outcome: Outcome, seconds: float) -> None:
    sizes = outcome.measurements
    rows = [
        ("Volume", f"{sizes.volume_ml:.2f} mL"),
        ("Longest diameter", f"{sizes.longest_diameter_mm:.1f} mm"),
        ("In an axial slice", f"{sizes.axial_diameter_mm:.1f} × {sizes.axial_perpendicular_mm:.1f} mm"),
        ("Quality", f"{outcome.result.quality:.2f} (what the model expects of its mask, 0 to 1)"),
        ("Time", f"{seconds:.1f} seconds"),
        ("Mask", str(output)),
    ]
    if preview is not None:
        rows.append(("Picture", str(preview)))
    console = Console(highlight=False)
    for name, value in rows:
        console.print(Text.assemble((f"{name:<19}", "dim"), value), soft_wrap=True)
