"""`msam-segment serve`: an engine for other programs, on this machine or for many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from msam.cli.arguments import ModelOption, a_number
from msam.cli.errors import reports_errors
from msam.errors import MsamError
from msam.exit_codes import EXIT_CODES

PORT = 8421
# What the extra `service` brings.
OF_THE_EXTRA = ("fastapi", "pydantic", "starlette", "uvicorn", "zstandard")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("serve", epilog=EXIT_CODES)(serve_command)


@reports_errors
def serve_command(
    host: Annotated[str, typer.Option("--host", help="Where to listen; 0.0.0.0 for everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port to listen at.")] = PORT,
    model: ModelOption = "compact",
    device: Annotated[
        list[str] | None,
        typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps; repeatable, a thread for each."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="File with the API key; else it is taken from MSAM_API_KEY.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="For TLS, in PEM form.")] = None,
    private_key: Annotated[Path | None, typer.Option("--private-key", help="Of the certificate.")] = None,
    without_encryption: Annotated[
        bool,
        typer.Option(
            "--without-encryption", help="Listen beyond this computer without TLS: scans travel in the clear."
        ),
    ] = False,
    volume_memory: Annotated[
        float, typer.Option("--volume-memory", min=0.1, callback=a_number, help="For scans, in GiB.")
    ] = 8.0,
    idle_minutes: Annotated[
        float, typer.Option("--idle-minutes", min=1, callback=a_number, help="After which a scan is dropped.")
    ] = 60.0,
) -> None:
    """Serves other programs: msam-segment segment --engine, 3D Slicer, a web page. Ends with Ctrl+C."""
    try:
        from msam.access import api_key
        from msam.service.host import Listening, serve
        from msam.service.settings import GIB, Settings
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in OF_THE_EXTRA:
            raise
        raise MsamError(
            f'Serving needs the package {error.name}; install it with: pip install "msam-segment[service]"'
        ) from error
    settings = Settings(
        token=api_key(key_file),
        model=model,
        devices=tuple(device or ["auto"]),
        volume_bytes=int(volume_memory * GIB),
        idle_seconds=60 * idle_minutes,
    )
    serve(Listening(host, port, certificate, private_key, without_encryption), settings)
