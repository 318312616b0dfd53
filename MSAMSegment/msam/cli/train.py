"""`msam-segment train`: fine-tunes a model on labelled scans, or trains the compact one from scratch."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from msam.cli.arguments import DeviceOption, a_number, make_folder
from msam.cli.errors import reports_errors
from msam.errors import MsamError
from msam.exit_codes import EXIT_CODES, ExitCode

if TYPE_CHECKING:
    from msam.training.recipes import Recipe

EXAMPLE = "Example: msam-segment train --data FOLDER --out runs/mine"
# Validations in the course of a run, where --validate-every does not say otherwise.
VALIDATIONS = 10


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("train", epilog=f"{EXAMPLE}\n\n{EXIT_CODES}")(train_command)


@reports_errors
def train_command(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="Labelled scans: a manifest.json; a folder of nnU-Net, the Medical Segmentation Decathlon or M-SAM "
            "(imagesTr, labelsTr); or one with images and labels.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for weights, curves, and the state to go on from.")],
    start: Annotated[
        str | None,
        typer.Option("--start", help="The model to start from, a name or a file: compact, unless --from-scratch."),
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Train the compact network as its bundled weights were.")
    ] = False,
    channel: Annotated[int, typer.Option("--channel", min=0, help="Of scans with several channels, from 0.")] = 0,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Length of the whole training.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Examples a step, over all GPUs.")] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.0, callback=a_number, help="The highest learning rate.")
    ] = None,
    lesions: Annotated[
        float | None,
        typer.Option(
            "--lesions",
            min=0.0,
            max=1.0,
            callback=a_number,
            help="Share of examples with a painted lesion; compact networks only.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all random numbers.")] = 0,
    validate_every: Annotated[
        int | None, typer.Option("--validate-every", min=1, help="Steps from one validation to the next.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that prepare examples.")] = 1,
    device: DeviceOption = "auto",
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write curves for TensorBoard too.")] = False,
) -> None:
    """Trains a model on labelled scans. Interrupted, the same command goes on where it was.

    The best weights by validation Dice are OUT/best.safetensors, for --model of the other commands.
    For several GPUs: torchrun --nproc-per-node 4 -m -- msam train …
    """
    from msam.cli.train_display import Display
    from msam.training.cases import targets_of
    from msam.training.interruption import Interruption
    from msam.training.layouts import find_cases
    from msam.training.parameters import choose_trained
    from msam.training.processes import joined_processes
    from msam.training.shelf import Shelf
    from msam.training.start import start_from
    from msam.training.trainer import BEST, Run, Trainer

    training, validation = find_cases(data, channel)
    _prepare(out, tensorboard)
    with joined_processes(device) as group, Shelf(out, group.rank) as shelf:
        begun = start_from(start or (None if from_scratch else "compact"), from_scratch=from_scratch, seed=seed)
        recipe = _changed(begun.recipe, steps, batch, rate, lesions)
        share = choose_trained(begun.network, recipe)
        display = Display(recipe.steps, silent=not group.is_first)
        display.say(f"Recipe: {recipe.name}. Trained: {share}.")
        objects = [targets_of(cases, unions=recipe.unions, shelf=shelf) for cases in (training, validation)]
        if not all(objects):
            raise MsamError("The labels of the scans hold no object of 30 voxels or more to train on and to validate.")
        display.say(
            f"{len(objects[0])} objects in {len(training)} scans to learn from, "
            f"{len(objects[1])} in {len(validation)} to validate."
        )
        every = validate_every or max(1, recipe.steps // VALIDATIONS)
        run = Run(out, seed, workers, every, tensorboard)
        trainer = Trainer(dataclasses.replace(begun, recipe=recipe), run, objects[0], objects[1], group)
        if trainer.step:
            display.say(f"Going on after step {trainer.step} of {recipe.steps}.")
        with Interruption() as interruption, display.watching(lambda: interruption.wanted, trainer.step):
            finished = trainer.train(display)
    if not finished:
        display.say(
            f"Stopped after step {trainer.step} of {recipe.steps}; nothing is lost. Go on with:\n{_again(group.size)}"
        )
        raise typer.Exit(ExitCode.CANCELLED)
    display.say(f"Validation Dice {trainer.best:.3f} at best (after 1 and 3 clicks). Use it with:")
    display.say(f"msam-segment segment SCAN --model {out / BEST} --point I,J,K -o mask.nii.gz")


def _prepare(out: Path, tensorboard: bool) -> None:
    """Makes sure, before scans are read, that everything that is wanted can be written."""
    make_folder(out)
    if tensorboard:
        from msam.training.journal import check_tensorboard

        check_tensorboard()


def _changed(recipe: Recipe, steps: int | None, batch: int | None, rate: float | None, lesions: float | None) -> Recipe:
    """The recipe with what the user chose otherwise."""
    chosen = {"steps": steps, "batch": batch, "rate": rate, "lesions": lesions}
    return dataclasses.replace(recipe, **{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]


def _again(processes: int) -> str:
    """The command that goes on, as it was typed."""
    # The two dashes keep torchrun from taking --start for an option of its own.
    program = (
        ["msam-segment"] if processes == 1 else ["torchrun", "--nproc-per-node", str(processes), "-m", "--", "msam"]
    )
    return shlex.join([*program, *sys.argv[1:]])
