"""A server for the tests of transports: it echoes, dawdles, refuses, and breaks off."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SLOW_SECONDS = 3.0


class Handler(BaseHTTPRequestHandler):
    """What it does is in the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Reads all that comes, then does what the path says."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind, _, rest = self.path.strip("/").partition("/")
        match kind:
            case "echo":
                shown = self.headers.get("X-Shown", "").encode()
                self._answer(200, self.command.encode() + b"|" + shown + b"|" + body)
            case "status":
                self._answer(int(rest), b"words")
            case "slow":
                self.server.begun.set()  # type: ignore[attr-defined]
                time.sleep(SLOW_SECONDS)
                self._answer(200, b"at last")
            case "redirect":
                self.send_response(302)
                self.send_header("Location", "/echo")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "break":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True

    do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, *_words: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Knows when something slow has begun."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.begun = threading.Event()

    def handle_error(self, *_where: object) -> None:
        """A client that went away is what is being tested."""


@contextmanager
def serving(certificate: Path | None = None, key: Path | None = None) -> Iterator[tuple[str, Server]]:
    """The address of a server, and the server; with TLS when there is a certificate."""
    server = Server()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        scheme, host = ("http", "127.0.0.1") if certificate is None else ("https", "localhost")
        yield f"{scheme}://{host}:{server.server_port}", server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signed itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
