"""The processes of the engine run this very package, whatever else a Python would take in its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msam.engine_process.command import FOLDER, command, module_command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for a launcher is a script")

# As 3D Slicer's launcher for its Python does, whatever the environment says.
LAUNCHER = """#!{python}
import os, sys
os.environ["PYTHONPATH"] = os.pathsep.join([{packages!r}, os.environ.get("PYTHONPATH", "")])
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


@pytest.fixture
def launcher(tmp_path: Path) -> str:
    """A launcher that puts another release of the package before all others."""
    for name in ("msam/__init__.py", "msam/service/__init__.py", "msam/service/__main__.py"):
        (tmp_path / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packages" / name).write_text(f"print('another {name}')")
    path = tmp_path / "PythonSlicer"
    path.write_text(LAUNCHER.format(python=sys.executable, packages=str(tmp_path / "packages")))
    path.chmod(0o755)
    return str(path)


def run(arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    environment = {"PYTHONPATH": FOLDER, "PATH": ""}
    # The input stays open, as the end of it is the request to end.
    source, ours = os.pipe()
    os.write(ours, b"short\n")
    try:
        return subprocess.run(arguments, stdin=source, capture_output=True, env=environment, check=False)
    finally:
        os.close(source)
        os.close(ours)


def test_the_applications_own_python_runs_the_engine_of_the_application(launcher: str) -> None:
    assert b"another msam/service/__main__.py" in run(command(launcher, "compact", "cpu")).stdout
    ended = run(command(launcher, "compact", "cpu", own=True))
    assert (ended.returncode, ended.stderr) == (2, b"")
    assert b"without a token" in ended.stdout


def test_it_runs_the_download_of_the_application_with_its_arguments(launcher: str) -> None:
    ended = run(module_command(launcher, "msam.checkpoints.fetch", "nothing", own=True))
    assert (ended.returncode, ended.stderr) == (1, b"")
    assert b"no public model of that name" in ended.stdout
    assert module_command("python", "msam.checkpoints.fetch", "nothing", own=True)[-2:] == [
        "msam.checkpoints.fetch",
        "nothing",
    ]
