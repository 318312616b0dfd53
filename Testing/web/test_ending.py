"""How a page ends that is told so, or that cannot be served in the first place."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from msam.errors import MsamError
from MSAMSegmentWeb import listening
from MSAMSegmentWeb.options import Options

SOURCES = Path(__file__).parents[2] / "MSAMSegment"
PATIENCE = 120.0

# The moment in which a hand is fastest: Slicer's libraries are being loaded, the engine comes next.
TOLD_WHILE_LOADING = """
import os, signal, sys
from MSAMSegmentWeb import app
from MSAMSegmentWeb.options import Options
load = app.bring_up
def told():
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return load()
app.bring_up = told
app.run(Options(port=0, open_browser=False), print)
"""
# An address that is no longer free, or no name any more, when it is used.
LATE_FAILURE = """
from MSAMSegmentWeb import app
from MSAMSegmentWeb.options import Options
app.listening.check = lambda options: None
app.run(Options(host="no.such.host.invalid", key="k" * 16, unencrypted=True, open_browser=False), print)
"""
# A scan is being read, and goes on being read for longer than anybody waits.
TOLD_WHILE_READING = """
import os, signal, time
from pathlib import Path
from MSAMSegmentWeb import app, folders, scans
from MSAMSegmentWeb.options import Options
def read(*arguments, **options):
    folders.make("upload")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1000)
scans.read_scan = read
app.run(Options(port=0, open_browser=False, scan=Path(".")), print)
"""


def ran(program: str, *arguments: str, folder: Path) -> tuple[int, str]:
    """The exit code of a program, and what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_page_that_is_told_to_end_at_its_start_ends(name: str, tmp_path: Path) -> None:
    assert ran(TOLD_WHILE_LOADING, name, folder=tmp_path) == (0, "The page has ended.\n")
    assert not list(tmp_path.glob("msam-*"))


def test_a_page_that_fails_at_its_start_ends(tmp_path: Path) -> None:
    code, words = ran(LATE_FAILURE, folder=tmp_path)
    assert code == 1 and "gaierror" in words
    assert not list(tmp_path.glob("msam-*"))


def test_the_end_waits_for_no_scan_that_is_being_read(tmp_path: Path) -> None:
    code, words = ran(TOLD_WHILE_READING, folder=tmp_path)
    assert code == 0 and words.endswith("The page has ended.\n")
    assert not list(tmp_path.glob("msam-*"))


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    # Both are heard of in the same turn of the event loop.
    twice = TOLD_WHILE_LOADING.replace("return load()", "os.kill(os.getpid(), signal.SIGTERM); return load()")
    assert ran(twice, "SIGINT", folder=tmp_path)[0] == 130


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MsamError, match=rf"cannot listen at 127\.0\.0\.1, port {port}: Address already.*--port"):
            listening.check(Options(port=port))
    listening.check(Options(port=port))


def test_a_host_that_is_none_is_said_to_be() -> None:
    with pytest.raises(MsamError, match=r"cannot listen at no\.such\.host\.invalid, port 8430: .*--host"):
        listening.check(Options(host="no.such.host.invalid", port=8430, key="k" * 16))


def test_files_that_are_no_certificate_are_said_to_be() -> None:
    with pytest.raises(MsamError, match=r"cannot be used .*PEM form, the key without a password"):
        listening.check(Options(certificate=Path(__file__), private_key=Path(__file__)))
