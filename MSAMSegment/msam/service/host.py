"""A GPU host for many: what it takes to listen beyond this machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from msam.access import is_loopback
from msam.errors import MsamError
from msam.protocol.names import KEY_VARIABLE
from msam.service.app import create_app
from msam.service.log import file_writer, log_to
from msam.service.server import server
from msam.service.settings import Settings


@dataclass(frozen=True)
class Listening:
    """Where a host listens, and how.

    Attributes:
        host: a name or an address of this machine.
        port: of TCP.
        certificate: file in PEM form; None without TLS.
        private_key: of the certificate.
        unencrypted: whether to listen beyond this machine without TLS, because something in front of it does TLS.
    """

    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None
    unencrypted: bool = False


def check(listening: Listening, key: str | None) -> None:
    """Makes sure that nobody listens in or joins who should not.

    Raises:
        MsamError: it would be so; the text says what to do.
    """
    for file in (listening.certificate, listening.private_key):
        if file is not None and not file.is_file():
            raise MsamError(f"There is no file {file}.")
    if (listening.certificate is None) != (listening.private_key is None):
        raise MsamError("TLS needs both a certificate and its private key; give both, or neither.")
    if is_loopback(listening.host):
        return
    if key is None:
        raise MsamError(
            f"Listening at {listening.host} lets other computers in, which needs an API key: "
            f"put one into a file for --key-file, or into the variable {KEY_VARIABLE}."
        )
    if listening.certificate is None and not listening.unencrypted:
        raise MsamError(
            f"Listening at {listening.host} without TLS would send scans and the key in the clear. Give --certificate "
            "and --private-key; or, only where something in front of this engine does TLS, --without-encryption."
        )


def serve(listening: Listening, settings: Settings) -> None:
    """Serves until it is told to stop (Ctrl+C, SIGTERM). Logs go to the standard error, as lines of JSON.

    Raises:
        MsamError: it cannot listen like that.
    """
    check(listening, settings.token)
    log_to(file_writer(sys.stderr.fileno()))
    http = server(
        create_app(settings),
        host=listening.host,
        port=listening.port,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.private_key,
    )
    http.run()
