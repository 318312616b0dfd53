"""A service with a stand-in for a model, on loopback, for the length of a test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from stand_in import StandIn

from msam.clicks import Click
from msam.client import Known
from msam.engine_process import Endpoint
from msam.errors import CheckpointError
from msam.protocol import records, steps
from msam.protocol.names import Code
from msam.protocol.problems import Problem
from msam.protocol.steps import ClickRecord, StepHeader, StepRequest
from msam.service.app import create_app
from msam.service.engine import Engine
from msam.service.server import server
from msam.service.settings import Settings
from msam.service.sockets import loopback_socket
from msam.volume import Volume

TOKEN = "a-token-of-thirty-two-characters"
BRIGHT, DARK = 300, 100
CENTRE_IJK = (20.0, 18.0, 14.0)


class Slow(StandIn):
    """Takes its time to encode: long enough to be asked about, or cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.began = threading.Event()

    def encode(self, roi: Any) -> Any:
        """Waits, then does what the stand-in does."""
        self.began.set()
        time.sleep(self.seconds)
        return super().encode(roi)


def volume(seed: int = 0) -> Volume:
    """A bright ball in a dark box with a little noise; another seed gives another volume."""
    k, j, i = np.indices((30, 36, 40))
    distance = np.sqrt((i - 20) ** 2 + (j - 18) ** 2 + (k - 14) ** 2)
    noise = np.random.default_rng(seed).integers(-5, 6, distance.shape)
    return Volume((np.where(distance < 8, BRIGHT, DARK) + noise).astype(np.int16), np.diag([1.0, 1.0, 2.0, 1.0]), "CT")


@contextmanager
def running(
    network: Any = None, certificate: tuple[Path, Path] | None = None, **settings: Any
) -> Iterator[tuple[Endpoint, Engine]]:
    """A service in a thread of this process: where it is, and what is behind it."""
    found = network or StandIn()

    def load(source: str | Path, device: str, free: Callable[[], None]) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    chosen = {"token": TOKEN, "model": "stand-in", "devices": ("cpu",), **settings}
    app = create_app(Settings(**chosen), load)
    listening = loopback_socket()
    port = listening.getsockname()[1]
    tls = {} if certificate is None else {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]}
    http = server(app, **tls)
    thread = threading.Thread(target=http.run, args=([listening],), daemon=True)
    thread.start()
    while not http.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)
    try:
        url = f"http://127.0.0.1:{port}" if certificate is None else f"https://localhost:{port}"
        yield Endpoint(url, chosen["token"], bool(chosen.get("shares_memory"))), app.state.engine
    finally:
        http.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the service did not stop"


def damaged() -> CheckpointError:
    """What loading a damaged model ends with."""
    return CheckpointError("The file of the model is damaged. Install it again.")


INSIDE = Click(CENTRE_IJK)
OUTSIDE = Click((5.0, 5.0, 5.0), positive=False)


def code_of(answer: httpx.Response) -> str:
    problem = records.decode(Problem, answer.content)
    assert problem.message
    assert answer.status_code == Code(problem.code).status
    return problem.code


def a_request(known: Known, run: str = "a-run", **changes: object) -> bytes:
    header = StepHeader(known.identity, run, (ClickRecord(CENTRE_IJK),), **changes)  # type: ignore[arg-type]
    return steps.encode_request(StepRequest(header))


def connected(endpoint: Endpoint, source: str = "127.0.0.1") -> socket.socket:
    """A connection on which anything can be said, from an address of this machine."""
    return socket.create_connection(("127.0.0.1", int(endpoint.url.rsplit(":", 1)[1])), 5, (source, 0))
