"""The engine as a real child process: killed, orphaned, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from service_running import CENTRE_IJK, volume
from small_configs import TINY, random_network

import msam
from msam.checkpoints.writing import write_checkpoint
from msam.clicks import Click
from msam.client import Client, Known
from msam.engine_process import EngineProcess
from msam.protocol.problems import ServiceError

# One thread of the processor: a busy machine is slow to let several meet.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
WITH_ENGINE = {**ENVIRONMENT, "PYTHONPATH": str(Path(msam.__file__).parents[1])}
SHARED = Path("/dev/shm")

PARENT = """
import sys, time
from msam.engine_process import EngineProcess
engine = EngineProcess()
engine.start()
engine.endpoint()
print(engine.pid, flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


def engine(model: Path | None = None, **options: object) -> EngineProcess:
    return EngineProcess(None if model is None else str(model), device="cpu", base_environment=ENVIRONMENT, **options)  # type: ignore[arg-type]


def exists(pid: int) -> bool:
    """Whether a process runs; one that has ended and is only waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not exists(pid)


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = set(SHARED.iterdir()) if SHARED.is_dir() else set()
    yield
    assert (set(SHARED.iterdir()) if SHARED.is_dir() else set()) <= before


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model so small that it loads at once."""
    file = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    write_checkpoint(file, random_network(TINY).state_dict(), TINY, {})
    return file


def test_the_token_is_256_bits_and_on_no_command_line():
    with engine() as running:
        endpoint = running.endpoint()
        assert endpoint.token is not None and len(bytes.fromhex(endpoint.token)) == 32
        for file in ("cmdline", "environ"):
            assert endpoint.token.encode() not in Path(f"/proc/{running.pid}/{file}").read_bytes()
        assert endpoint.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{endpoint.url}/v1/health", trust_env=False).status_code == 401
        pid = running.pid
    assert pid is not None and gone(pid)
    assert running.state == "stopped"


def test_it_ends_with_its_parent_however_that_dies():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=WITH_ENGINE)
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert exists(pid)
        parent.kill()
    assert gone(pid)


def test_it_ends_with_its_parent_even_when_somebody_else_holds_the_pipe():
    reading, writing = os.pipe()
    holder = (
        "import subprocess, sys, os\n"
        "command, pipe = [sys.executable, '-m', 'msam.service'], subprocess.PIPE\n"
        "child = subprocess.Popen(command, stdin=int(sys.argv[1]), stdout=pipe)\n"
        "print(child.pid, child.stdout.readline(), flush=True)\n"
        "os._exit(0)\n"
    )
    os.write(writing, b"t" * 64 + b"\n")
    try:
        found = subprocess.run(
            [sys.executable, "-c", holder, str(reading)],
            pass_fds=(reading,),
            capture_output=True,
            env=WITH_ENGINE,
            check=True,
        )
        pid = int(found.stdout.split()[0])
        assert b"ready" in found.stdout
        assert gone(pid)
    finally:
        os.close(reading)
        os.close(writing)


def test_killed_it_is_started_again_and_answers_as_if_nothing_had_happened(model):
    scan, clicks = Known.of(volume()), [Click(CENTRE_IJK), Click((5.0, 5.0, 5.0), positive=False)]
    told = []
    with engine(model, listener=told.append) as running, Client(running.endpoint) as client:
        first = client.segment(scan, clicks[:1])
        expected = client.segment(scan, clicks, state=first.state)
        pid = running.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        found = client.segment(scan, clicks, state=first.state)
        assert running.pid != pid
    assert np.array_equal(found.mask.whole(scan.shape_ijk), expected.mask.whole(scan.shape_ijk))
    assert found.state == expected.state
    assert any("started again" in str(event) for event in told)


def test_an_interpreter_without_the_engine_fails_in_words(tmp_path):
    nothing = tmp_path / "python"
    nothing.write_text("#!/bin/sh\necho 'No module named torch' >&2\nexit 1\n")
    nothing.chmod(0o755)
    for python, words in ((str(nothing), "No module named torch"), (str(tmp_path / "none"), "No such file")):
        with engine(python=python) as running, pytest.raises(ServiceError, match=words):
            running.endpoint()


def test_a_model_that_is_not_there_fails_in_words():
    with engine(Path("no-such-model")) as running, pytest.raises(ServiceError, match="no-such-model"):
        running.endpoint()


# All that the engine's interpreter must have; what these need themselves comes along.
NEEDED = ("torch", "numpy", "SimpleITK", "safetensors", "fastapi", "uvicorn", "zstandard")

POOR = """#!{python}
import importlib.metadata, re, runpy, sys

def closure(names):
    found, left = set(), list(names)
    while left:
        name = re.sub("[-_.]+", "-", left.pop()).lower()
        if name not in found:
            found.add(name)
            try:
                needs = importlib.metadata.requires(name) or ()
            except importlib.metadata.PackageNotFoundError:
                continue
            left += [re.match("[A-Za-z0-9._-]+", need)[0] for need in needs if "extra ==" not in need]
    return found

there = closure({needed!r})

class Missing:
    def find_spec(self, name, path=None, target=None):
        owners = packages.get(name.partition(".")[0])
        if owners and not there & {{re.sub("[-_.]+", "-", owner).lower() for owner in owners}}:
            print("asked for", name, file=sys.stderr)
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

packages = importlib.metadata.packages_distributions()
packages.pop("msam", None)
sys.meta_path.insert(0, Missing())
sys.argv = [sys.argv[0], *sys.argv[sys.argv.index("msam.service") + 1:]]
runpy.run_module("msam.service", run_name="__main__", alter_sys=True)
"""


def test_the_interpreter_needs_nothing_but_what_is_said(model, tmp_path):
    """An interpreter in which no other package can be imported serves and segments."""
    python, told = tmp_path / "python", []
    python.write_text(POOR.format(python=sys.executable, needed=NEEDED))
    python.chmod(0o755)
    with engine(model, python=str(python), listener=told.append) as running, Client(running.endpoint) as client:
        assert client.segment(volume(), [Click(CENTRE_IJK)], iterations=2).state
    asked = {str(event) for event in told if "asked for" in str(event)}
    assert not {
        line for line in asked if any(name in line for name in ("httpx", "typer", "rich", "matplotlib", "scipy"))
    }


def test_an_interpreter_whose_pytorch_is_broken_says_so_at_once(model, tmp_path):
    python = tmp_path / "python"
    needed = tuple(name for name in NEEDED if name != "torch")
    python.write_text(POOR.format(python=sys.executable, needed=needed))
    python.chmod(0o755)
    with engine(model, python=str(python)) as running, pytest.raises(ServiceError, match="PyTorch cannot be used"):
        running.endpoint()


def test_without_a_token_it_does_not_start():
    ended = subprocess.run(
        [sys.executable, "-m", "msam.service"], input=b"short\n", capture_output=True, env=WITH_ENGINE, check=False
    )
    assert ended.returncode == 2
    assert b"without a token" in ended.stdout
