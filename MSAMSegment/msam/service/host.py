"""A GPU host for many: what it takes to listen beyond this machine."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from msam.access import is_loopback
from msam.errors import MsamError
from msam.protocol.names import KEY_VARIABLE
from msam.service.app import create_app
from msam.service.door import allow_many_files
from msam.service.engine import ITSELF, Engine
from msam.service.log import file_writer, log_to
from msam.service.server import POLL_SECONDS, server
from msam.service.settings import Settings
from msam.service.sockets import host_sockets

logger = logging.getLogger(__name__)
# For TLS 1.2, which is the oldest that is spoken; 1.3 has nothing but such ciphers.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


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

    The model is loaded first thing: a host that cannot work ends at once and not with somebody's first click.

    Raises:
        MsamError: it cannot listen like that, or its model or its device is unusable.
    """
    check(listening, settings.token)
    _check_certificate(listening)
    allow_many_files()
    sockets = host_sockets(listening.host, listening.port)
    log_to(file_writer(sys.stderr.fileno()), dated=True)
    app = create_app(settings)
    http = server(app, ssl_certfile=listening.certificate, ssl_keyfile=listening.private_key, ssl_ciphers=CIPHERS)
    logger.info("starting", extra={"fields": {"port": listening.port, "tls": listening.certificate is not None}})
    asyncio.run(_serve(http, app.state.engine, sockets))


async def _serve(http: uvicorn.Server, engine: Engine, sockets: list[socket.socket]) -> None:
    serving = asyncio.create_task(http.serve(sockets=sockets))
    while not http.started and not serving.done():
        await asyncio.sleep(POLL_SECONDS)
    loading = asyncio.create_task(engine.load(engine.catalogue.default, ITSELF))
    await asyncio.wait({serving, loading}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if loading.done():
            model = await loading
            logger.info("ready", extra={"fields": {"model": model, "devices": list(engine.health().devices)}})
    except MsamError:
        http.should_exit = True
        raise
    finally:
        loading.cancel()
        await serving


def _check_certificate(listening: Listening) -> None:
    """Looks at the files before anything listens.

    Raises:
        MsamError: they are no certificate and its key.
    """
    if listening.certificate is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password where one is asked for: a service has nobody at its keyboard.
        context.load_cert_chain(listening.certificate, listening.private_key, password="")
    except (OSError, ValueError) as error:
        raise MsamError(
            f"The certificate {listening.certificate} with the private key {listening.private_key} cannot be used "
            f"({getattr(error, 'reason', None) or error}). Both are files in PEM form, the key without a password."
        ) from error
