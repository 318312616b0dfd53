"""The download that an application starts ends with it, also where only something in between is ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from msam.engine_process.command import FOLDER

# The module as it is run, with a download that does not end.
ENDLESS = """
import runpy, sys, time
import msam.checkpoints.download as downloads

def download(model, folder, progress):
    print("torch" in sys.modules, flush=True)
    time.sleep(600)

downloads.download = download
sys.argv = ["fetch", "sam-med3d-turbo"]
runpy.run_module("msam.checkpoints.fetch", run_name="__main__")
"""
LAUNCHER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
child.wait()
"""
SECONDS = 60


@pytest.mark.skipif(sys.platform == "win32", reason="there, the end of the pipe is the sign, as in the other test")
def test_it_ends_when_only_the_launcher_before_it_is_ended() -> None:
    launcher = start(LAUNCHER, ENDLESS)
    child = int(launcher.stdout.readline())
    try:
        assert launcher.stdout.readline() == b"False\n"
        launcher.kill()
        launcher.wait()
        assert hasEnded(launcher)  # its input is still open
    finally:
        end(child)
        close(launcher)


def test_it_ends_when_its_input_is_closed() -> None:
    process = start(ENDLESS)
    try:
        assert process.stdout.readline() == b"False\n"
        process.stdin.close()
        assert process.wait(SECONDS) == 1
    finally:
        process.kill()
        close(process)


def start(*code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", *code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": FOLDER},
    )


def hasEnded(process: subprocess.Popen[bytes]) -> bool:
    """Whether all who could write to the pipe are gone."""
    readable, _, _ = select.select([process.stdout], [], [], SECONDS)
    return bool(readable) and process.stdout.read() == b""


def end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def close(process: subprocess.Popen[bytes]) -> None:
    process.stdin.close()
    process.stdout.close()
    process.wait()
