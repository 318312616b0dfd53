"""`python -m MSAMSegmentWeb`: the page, as `msam-segment app` starts it, without the command line of `msam`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from msam.errors import MsamError
from MSAMSegmentWeb.options import PORT, Options, engine_key, page_key


def options_from(arguments: list[str]) -> Options:
    """The options that a command line asks for."""
    parser = argparse.ArgumentParser("python -m MSAMSegmentWeb", description="Serves the web page of MSAMSegment.")
    parser.add_argument("scan", nargs="?", type=Path, help="NIfTI, NRRD, MHA or DICOM folder, opened at the start")
    parser.add_argument("--demo", action="store_true", help="open the sample scan with one click on its lesion")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=PORT, help="0 for any free one")
    parser.add_argument("--key-file", type=Path, help="file with the page's key; else it is taken from MSAM_PAGE_KEY")
    parser.add_argument("--certificate", type=Path, help="for TLS, in PEM form")
    parser.add_argument("--private-key", type=Path, help="of the certificate")
    parser.add_argument("--without-encryption", action="store_true", help="listen beyond this computer without TLS")
    parser.add_argument("--model", default="compact", help="a model's name or file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--engine", help="address of an engine on another computer")
    parser.add_argument("--engine-certificates", type=Path, help="PEM file of a certificate authority of your own")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    given = parser.parse_args(arguments)
    return Options(
        host=given.host,
        port=given.port,
        key=page_key(given.key_file),
        certificate=given.certificate,
        private_key=given.private_key,
        unencrypted=given.without_encryption,
        scan=given.scan,
        demo=given.demo,
        model=given.model,
        device=given.device,
        engine_url=given.engine,
        engine_key=engine_key(),
        engine_certificates=given.engine_certificates,
        open_browser=not given.no_browser,
    )


def main() -> None:
    """Runs the page."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from MSAMSegmentWeb.app import run

    def say(words: str) -> None:
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()

    try:
        run(options_from(sys.argv[1:]), say)
    except MsamError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
