"""The program `msam-segment`: its sub commands and what they share."""

from __future__ import annotations

from typing import Annotated

import typer

from msam import __version__
from msam.cli import batch, demo, evaluate, models, page, segment, serve, train
from msam.cli.errors import show_tracebacks
from msam.exit_codes import EXIT_CODES

app = typer.Typer(
    name="msam-segment",
    help="Click on a lesion in a CT, MR or PET scan and get it segmented in 3D (M-SAM, arXiv 2403.05912).",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (segment, page, batch, demo, evaluate, train, models, serve):
    module.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"msam-segment {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show unexpected errors in full.")] = False,
) -> None:
    """Options that stand before the sub command."""
    show_tracebacks(debug)
