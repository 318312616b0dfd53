"""Which Python can run the engine: where it is looked for, and what it is found to have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import slicer
from pip_site import Site
from stand_in_engine import StandInTransport

from MSAMSegmentLib import interpreters
from MSAMSegmentLib.asyncio_transport import AsyncioTransport
from MSAMSegmentLib.installation import (
    REQUIREMENTS,
    TORCH,
    Candidate,
    ProbeResult,
    candidates,
    findInterpreter,
    planFor,
    probe,
)
from MSAMSegmentLib.package_versions import MARK
from MSAMSegmentLib.requirements import isAtLeast

ALL = {each.name: each.minimum for each in (*REQUIREMENTS, TORCH)}
OWN = Candidate("PythonSlicer", True, "the Python of 3D Slicer")
OTHER = Candidate("/usr/bin/python3", False, "the Python that you chose")


@pytest.fixture
def transport() -> Iterator[AsyncioTransport]:
    transport = AsyncioTransport()
    yield transport
    transport.close()


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The computer that the tests run on may be set up for another Python."""
    monkeypatch.delenv(interpreters.PYTHON_VARIABLE, raising=False)


# What is needed


def test_the_requirements_are_those_of_the_project():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    stated = {*project["dependencies"], *project["optional-dependencies"]["service"]}
    assert {str(each) for each in (*REQUIREMENTS, TORCH)} == stated


@pytest.mark.parametrize(
    ("version", "minimum", "enough"),
    [
        ("2.13.0+cpu", "2.6", True),
        ("2.6", "2.6.0", True),
        ("2.6.0rc1", "2.6", True),
        ("2.5.9", "2.6", False),
        ("0.115.0", "0.115", True),
        ("0.99", "0.115", False),
        ("10.0", "9.9", True),
        ("unknown", "0.1", False),
    ],
)
def test_versions_are_compared_as_numbers(version, minimum, enough):
    assert isAtLeast(version, minimum) is enough


# Where to look


def test_the_users_choice_comes_first_then_the_own_interpreter_then_that_of_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreters, "_pythonOnPath", lambda: None)
    module = tmp_path / "MSAMSegment" / "MSAMSegmentLib" / "interpreters.py"
    python = tmp_path / ".venv" / "bin" / "python"
    for path in (module, python, tmp_path / "pyproject.toml"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(interpreters, "__file__", str(module))
    found = candidates("/opt/mine/bin/python")
    assert [each.python for each in found] == ["/opt/mine/bin/python", sys.executable, str(python)]
    assert [each.isOwnInterpreter for each in found] == [False, True, False]
    assert [each.python for each in candidates(None)] == [sys.executable, str(python)]
    python.rename(python.with_name("other"))
    assert [each.python for each in candidates("")] == [sys.executable]


def test_what_the_environment_names_comes_after_the_users_choice_and_before_what_is_guessed(monkeypatch):
    monkeypatch.setenv("MSAM_PYTHON", "/opt/named/bin/python")
    named = Candidate("/opt/named/bin/python", False, "the Python that MSAM_PYTHON names")
    assert candidates(None)[0] == named
    assert [each.python for each in candidates("/opt/mine/bin/python")[:3]] == [
        "/opt/mine/bin/python",
        named.python,
        sys.executable,
    ]
    monkeypatch.setenv("MSAM_PYTHON", "")
    assert candidates(None)[0].python == sys.executable


def test_at_last_the_python_that_a_terminal_finds_is_asked(tmp_path, monkeypatch):
    python = tmp_path / ("python3.exe" if sys.platform == "win32" else "python3")
    python.touch(mode=0o755)
    monkeypatch.setattr(interpreters, "_checkoutInterpreter", lambda module: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert candidates(None)[1:] == [Candidate(str(python), False, "the Python that a terminal finds")]
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert len(candidates(None)) == 1


def test_the_own_interpreter_is_known_as_such_when_it_is_chosen():
    first = candidates(sys.executable)[0]
    assert first.isOwnInterpreter
    assert [each.python for each in candidates(sys.executable)].count(sys.executable) == 1


def test_in_the_application_the_interpreter_is_pythonslicer(tmp_path, monkeypatch):
    python = tmp_path / "PythonSlicer"
    python.touch(mode=0o755)
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(), raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert candidates(None)[0] == Candidate(str(python), True, "the Python of 3D Slicer")
    # The application is not an interpreter.
    python.unlink()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    assert not any(each.isOwnInterpreter for each in candidates(None))


# What is there


def ask(transport: AsyncioTransport, candidate: Candidate, seconds: float = 30) -> ProbeResult:
    results: list[ProbeResult] = []
    probe(transport, candidate, results.append)
    assert not results
    assert transport.runUntil(lambda: bool(results), seconds)
    return results[0]


@pytest.mark.parametrize("isOwn", [True, False])
def test_a_real_python_tells_what_it_has_without_importing_it(transport, isOwn):
    result = ask(transport, Candidate(sys.executable, isOwn, "this"))
    assert result.isComplete, result.words
    assert result.pythonVersion == ".".join(map(str, sys.version_info[:3]))
    expected = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        check=True,
    )
    versions = {each["name"].lower(): each["version"] for each in json.loads(expected.stdout)}
    assert {name.lower(): version for name, version in result.versions.items()} == {
        each.name.lower(): versions[each.name.lower()] for each in (*REQUIREMENTS, TORCH)
    }


def test_a_python_without_packages_tells_that_it_lacks_them(transport, tmp_path):
    bare = tmp_path / "bare"
    bare.write_text(
        f'#!/bin/sh\nexport PYTHONPATH=\necho "hello from a start-up file"\nexec {sys.executable} -I -S "$@"\n'
    )
    bare.chmod(0o755)
    result = ask(transport, Candidate(str(bare), False, "the Python that you chose"))
    assert not result.isComplete
    assert result.missing == (*REQUIREMENTS, TORCH)
    assert result.words.startswith("The Python that you chose lacks fastapi>=0.115, ")


def test_what_lies_in_the_folder_of_the_process_does_not_count(transport, tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    Site(tmp_path).put("fastapi>=9.9")
    monkeypatch.chdir(tmp_path)
    assert ask(transport, Candidate(str(bare), False, "this")).versions == {}


def test_a_package_that_was_half_removed_does_not_count(transport, tmp_path, monkeypatch):
    Site(tmp_path).put("zstandard>=9.9")
    (tmp_path / "zstandard" / "__init__.py").unlink()
    (tmp_path / "zstandard").rmdir()
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ask(transport, Candidate(str(bare), True, "this")).versions == {}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "could not be started"),
        ("echo no such option >&2; exit 3", "exit code 3). It said: no such option"),
        ("echo '[1, 2]'; echo '{\"other\": 1}'", "did not answer as a Python does"),
        (f"echo '{json.dumps({MARK: {}, 'python': '3.9.10'})}'", "is version 3.9.10; the engine needs 3.11 or later"),
    ],
)
def test_what_is_no_python_for_the_engine_is_told_in_words(transport, tmp_path, script, words):
    program = tmp_path / "program"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    result = ask(transport, Candidate(str(program), False, "the Python that you chose"))
    assert not result.isComplete
    assert words in result.words
    assert planFor(result).obstacle


def test_a_python_that_never_answers_is_given_up_and_killed(transport, tmp_path, monkeypatch):
    monkeypatch.setattr(interpreters, "PROBE_SECONDS", 0.5)
    sleeper = tmp_path / "sleeper"
    sleeper.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    sleeper.chmod(0o755)
    results: list[ProbeResult] = []
    probe(transport, Candidate(str(sleeper), False, "this"), results.append)
    assert transport.runUntil(lambda: bool(results), 10)
    assert "did not answer within" in results[0].words
    pid = int((tmp_path / "pid").read_text())

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    assert transport.runUntil(is_gone, 5)
    transport.runUntil(lambda: False, 0.1)
    assert len(results) == 1


def test_a_cancelled_probe_tells_nothing(transport):
    results: list[ProbeResult] = []
    probe(transport, Candidate(sys.executable, False, "this"), results.append).cancel()
    assert not transport.runUntil(lambda: bool(results), 1.5)


# Which one to take


class Answers(StandInTransport):
    """Pythons that answer at once with packages, by program; those that are not named cannot be started."""

    def __init__(self, packages: dict[str, dict[str, str]]) -> None:
        super().__init__()
        self.packages = packages

    def startProcess(self, command, environment, callbacks):
        self.noInterpreter = command[0] not in self.packages
        self.startDelay = 10**9
        process = super().startProcess(command, environment, callbacks)
        if not self.noInterpreter:
            answer = {MARK: self.packages[command[0]], "python": "3.12.10"}
            process.say(json.dumps(answer).encode())
            self.callLater(0, lambda: process.end(0))
        return process


def find(transport: StandInTransport, chosen: str | None) -> tuple[Candidate | None, list[ProbeResult]]:
    found: list[tuple[Candidate | None, list[ProbeResult]]] = []
    findInterpreter(transport, chosen, lambda candidate, results: found.append((candidate, list(results))))
    assert not found
    assert transport.runUntil(lambda: bool(found), 100)
    transport.pump(10)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Pythons but the one that is chosen and the own one."""
    monkeypatch.setattr(interpreters, "_ownInterpreter", lambda: "own")
    monkeypatch.setattr(interpreters, "_checkoutInterpreter", lambda module: None)
    monkeypatch.setattr(interpreters, "_pythonOnPath", lambda: None)


def test_the_first_complete_one_is_taken_and_the_others_are_not_asked(two):
    transport = Answers({"mine": ALL, "own": ALL})
    candidate, results = find(transport, "mine")
    assert candidate is not None
    assert candidate.python == "mine"
    assert len(results) == len(transport.processes) == 1


def test_an_incomplete_one_is_passed_over_and_told(two):
    candidate, results = find(Answers({"mine": {**ALL, "torch": "2.5.1"}, "own": ALL}), "mine")
    assert candidate is not None
    assert candidate.isOwnInterpreter
    assert results[0].missing == (TORCH,)


def test_when_none_is_complete_all_are_told(two):
    candidate, results = find(Answers({"own": {}}), "gone")
    assert candidate is None
    assert "could not be started" in results[0].words
    assert results[1].missing == (*REQUIREMENTS, TORCH)


def test_a_search_that_is_cancelled_tells_nothing(two):
    transport, found = Answers({"own": ALL}), []
    search = findInterpreter(transport, "gone", lambda *told: found.append(told))
    assert transport.runUntil(lambda: bool(transport.commands), 1)
    search.cancel()
    transport.pump(100)
    assert not found


def test_the_own_interpreter_gets_the_environment_of_the_application_and_another_does_not(two, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "application")
    transport = Answers({"own": {}, "mine": {}})
    find(transport, "mine")
    assert "PYTHONHOME" not in transport.environments[0]
    assert transport.environments[1]["PYTHONHOME"] == "application"
