"""Many connections: those who have nothing to say keep nobody out, and those who have something all get in."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from odd_server import make_certificate
from service_running import INSIDE, TOKEN, connected, running, volume

import msam
from msam.client import Client, Known
from msam.engine_process import Endpoint
from msam.service import door

# Anywhere else, this machine has but one address of itself.
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs a second address of this machine")
ELSEWHERE = "127.0.0.2"


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(door, "MOST_OF_THIS_MACHINE", 20)
    monkeypatch.setattr("msam.service.server.MOST_CONNECTIONS", 40)


def is_closed(line) -> bool:
    """Whether the other side has closed a connection."""
    line.settimeout(0.02)
    with contextlib.suppress(TimeoutError):
        try:
            return line.recv(1) == b""
        except ConnectionError:
            return True
    return False


def closed_after(lines, most: int, seconds: float) -> list[bool]:
    """Which connections are closed, as soon as no more than so many are open, or after that time."""
    end = time.monotonic() + seconds
    while sum(not is_closed(line) for line in lines) > most and time.monotonic() < end:
        time.sleep(0.05)
    return [is_closed(line) for line in lines]


@LINUX
@pytest.mark.usefixtures("few")
def test_silent_connections_from_one_address_keep_nobody_else_out():
    with running() as (endpoint, _), Client(endpoint) as client, contextlib.ExitStack() as lines:
        silent = [lines.enter_context(connected(endpoint, ELSEWHERE)) for _ in range(60)]
        assert client.health().protocol == 1
        closed = closed_after(silent, 20, 10)
        assert closed == [False] * 20 + [True] * 40, "the first ones are in, the others are closed at once"
        for line in silent:
            line.close()
        end = time.monotonic() + 10
        while is_closed(lines.enter_context(connected(endpoint, ELSEWHERE))):
            assert time.monotonic() < end, "whoever has left is not to be counted any more"


@LINUX
@pytest.mark.usefixtures("few")
def test_nor_do_they_before_a_tls_handshake(tmp_path, monkeypatch):
    monkeypatch.setattr("msam.service.server.HANDSHAKE_SECONDS", 2.0)
    certificate = make_certificate(tmp_path)
    with running(certificate=certificate) as (endpoint, _), contextlib.ExitStack() as lines:
        silent = [lines.enter_context(connected(endpoint, ELSEWHERE)) for _ in range(60)]
        trusting = Endpoint(endpoint.url, TOKEN, certificates=str(certificate[0]))
        with Client(trusting) as client:
            assert client.health().protocol == 1
        assert sum(closed_after(silent, 20, 10)) >= 40
        assert all(closed_after(silent, 0, 20)), "a handshake that does not come is not waited for"


def test_sixteen_clients_behind_one_address_are_all_served(monkeypatch):
    """As a hospital's proxy brings them; each looks at its progress on a connection of its own."""
    monkeypatch.setattr(door, "MOST_OF_THIS_MACHINE", door.MOST_OF_ONE)
    known, found = Known.of(volume()), []
    with running() as (endpoint, engine):
        engine.store.adopt(known.identity, known.description, known.data)

        def click() -> None:
            with Client(endpoint) as client:
                for _ in range(3):
                    found.append(client.segment(known, [INSIDE], progress=lambda done, words: None).mask.voxels.any())

        threads = [threading.Thread(target=click) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 48


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limit")
def test_as_many_files_as_the_system_lets_it_and_no_more_connections_than_files():
    code = (
        "import resource; _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))\n"
        "from msam.service import door\n"
        "few = door.Door()._most; door.allow_many_files(); soft, same = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "print(few, hard == same, soft >= 4096 or soft == hard)"
    )
    command = [sys.executable, "-c", code]
    told = subprocess.run(
        command,
        env={"PYTHONPATH": str(Path(msam.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert told.stdout.split() == ["100", "True", "True"]
