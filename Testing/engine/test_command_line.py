"""The program as a whole: how it starts, what it says of itself, how it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import little_scan
import pytest
from typer.testing import CliRunner

from msam import __version__
from msam.cli.app import app
from msam.exit_codes import ExitCode

ENGINE = Path(__file__).parents[2] / "MSAMSegment"
HELPERS = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ENGINE, HELPERS)))}

# Runs the program with a model that says when it was asked, and then takes its time.
SLOW = """
import sys, time, msam
from stand_in import StandIn
def decode(*prompts):
    print("working", file=sys.stderr, flush=True)
    time.sleep(30)
model = StandIn()
model.decode = decode
msam.load_model = lambda source, device=None: model
from msam.cli.main import main
main()
"""


def program(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    start = ["-m", "msam"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *start, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def test_python_m_msam_is_the_program(tmp_path: Path) -> None:
    assert program("--version").stdout == f"msam-segment {__version__}\n"
    failed = program("segment", str(tmp_path / "none.nii"), "-p", "1,2,3", "-o", str(tmp_path / "mask.nii"))
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("Error: ")


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_the_extra_it_says_how_to_install_it(package: str) -> None:
    failed = program(code=f"import sys; sys.modules[{package!r}] = None; from msam.cli.main import main; main()")
    assert failed.returncode == 2
    assert 'pip install "msam-segment[cli]"' in failed.stderr
    assert "Traceback" not in failed.stderr


def test_the_service_tells_exit_codes_without_the_extra() -> None:
    imported = program(code="import sys; sys.modules['typer'] = None; import msam.service.host")
    assert (imported.returncode, imported.stderr) == (0, "")


def test_a_broken_installation_is_not_taken_for_a_missing_extra() -> None:
    failed = program(code="import sys; sys.modules['numpy'] = None; from msam.cli.main import main; main()")
    assert failed.returncode == 1
    assert "numpy" in failed.stderr
    assert "msam-segment[cli]" not in failed.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_control_c_ends_it_at_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    scan = little_scan.write_scan(tmp_path / "scan.nii.gz")
    point = little_scan.written(little_scan.CENTRE_IJK)
    arguments = ["segment", str(scan), "--point", point, "-o", str(tmp_path / "mask.nii.gz")]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *arguments], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert "working" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        assert "Cancelled" in running.stderr.read()
        assert running.wait(timeout=10) == ExitCode.CANCELLED
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]


# "app" opens the page, which is no part of this package.
@pytest.mark.parametrize(
    "command", ["", *sorted(command.name or "" for command in app.registered_commands if command.name != "app")]
)
def test_help_lists_every_exit_code(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    words = " ".join(shown.stdout.split())
    assert shown.exit_code == 0
    for code in ExitCode:
        assert f"{code.value} {code.meaning}" in words


def test_wrong_use_has_the_exit_code_for_it() -> None:
    for arguments in (["segment"], ["segment", "scan.nii", "--no-such-option"], ["no-such-command"]):
        refused = CliRunner().invoke(app, arguments)
        assert (refused.exit_code, refused.stdout) == (ExitCode.WRONG_USE, "")
