"""`msam-segment app`: the same tool as in 3D Slicer, in a browser."""

from __future__ import annotations

from importlib import import_module, util
from pathlib import Path
from typing import Annotated

import typer

from msam.cli.arguments import DeviceOption, ModelOption
from msam.cli.errors import reports_errors
from msam.errors import MsamError
from msam.exit_codes import EXIT_CODES

# The page is no part of this package: it stands on Slicer's libraries, which the engine knows nothing of.
PAGE = "MSAMSegmentWeb"
# What the extra `web` brings, as it is imported.
OF_THE_EXTRA = ("slicer", "vtk", "trame_slicer", "trame", "aiohttp", "httpx", "fastapi", "uvicorn", "zstandard")
PORT = 8430


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("app", epilog=EXIT_CODES)(app_command)


@reports_errors
def app_command(
    scan: Annotated[
        Path | None, typer.Argument(help="NIfTI, NRRD, MHA or a DICOM folder; more can be opened on the page.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Open the sample scan, with one click made on its lesion.")
    ] = False,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; beyond this computer it needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen at; 0 for any.")] = PORT,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            help="File with the page's key; else it is taken from MSAM_PAGE_KEY. Without, one is made for this run.",
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="For TLS, in PEM form.")] = None,
    private_key: Annotated[Path | None, typer.Option("--private-key", help="Of the certificate.")] = None,
    without_encryption: Annotated[
        bool,
        typer.Option(
            "--without-encryption",
            help="Listen beyond this computer without TLS: scans travel in the clear, unless a proxy does TLS. It "
            "has to pass on Host and Upgrade as they come, and to set X-Forwarded-Proto to https.",
        ),
    ] = False,
    engine: Annotated[
        str | None, typer.Option("--engine", help="Address of an engine elsewhere; its key comes from MSAM_API_KEY.")
    ] = None,
    engine_certificates: Annotated[
        Path | None,
        typer.Option("--engine-certificates", help="PEM file of a certificate authority of your own, for --engine."),
    ] = None,
    model: ModelOption = "compact",
    device: DeviceOption = "auto",
    browser: Annotated[bool, typer.Option(help="Show the page in your browser.")] = True,
) -> None:
    """Opens the tool in a browser: click on a lesion and see it in three planes and in 3D. Ends with Ctrl+C."""
    missing = [name for name in (*OF_THE_EXTRA, PAGE) if util.find_spec(name) is None]
    if missing:
        raise MsamError(f'The page needs the package {missing[0]}; install it with: pip install "msam-segment[web]"')
    options = import_module(f"{PAGE}.options")
    import_module(f"{PAGE}.app").run(
        options.Options(
            host=host,
            port=port,
            key=options.page_key(key_file),
            certificate=certificate,
            private_key=private_key,
            unencrypted=without_encryption,
            scan=scan,
            demo=demo,
            model=model,
            device=device,
            engine_url=engine,
            engine_key=options.engine_key(),
            engine_certificates=engine_certificates,
            open_browser=browser,
        ),
        typer.echo,
    )
