"""Which Python can run the engine: where to look for one, and whether it has what the engine needs."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import slicer

from msam.engine_process import command
from MSAMSegmentLib import package_versions
from MSAMSegmentLib.engine_environment import ownEnvironment, startupEnvironment
from MSAMSegmentLib.requirements import OLDEST_PYTHON, REQUIREMENTS, TORCH, Requirement, isAtLeast
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Cancellable, ChildProcess, ProcessCallbacks, Transport

PROBE_SECONDS = 20.0
NEEDED = (*REQUIREMENTS, TORCH)
# The environment variable that names an interpreter, for computers that are set up by program.
PYTHON_VARIABLE = "MSAM_PYTHON"


@dataclass(frozen=True)
class Candidate:
    """A Python that might run the engine.

    Attributes:
        python: the program.
        isOwnInterpreter: it is the application's own, which needs the environment of the application.
        words: whose it is, to go on a sentence, such as "the Python that you chose".
    """

    python: str
    isOwnInterpreter: bool
    words: str


@dataclass(frozen=True)
class ProbeResult:
    """What a Python was found to have.

    Attributes:
        candidate: the one that was asked.
        pythonVersion: such as "3.12.10"; "" when it did not answer.
        versions: of the packages that the engine needs and that are there, by name.
        failure: why it did not answer, as a sentence; "" when it did.
    """

    candidate: Candidate
    pythonVersion: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def isTooOld(self) -> bool:
        """Whether it answered, and no package could make it run the engine."""
        return bool(self.pythonVersion) and not isAtLeast(self.pythonVersion, OLDEST_PYTHON)

    @property
    def missing(self) -> tuple[Requirement, ...]:
        """What is not there, or too old; PyTorch last."""
        return tuple(each for each in NEEDED if not each.isMetBy(self.versions))

    @property
    def isComplete(self) -> bool:
        """Whether it can run the engine."""
        return not self.failure and not self.isTooOld and not self.missing

    @property
    def words(self) -> str:
        """What was found, as a sentence for people."""
        whose = self.candidate.words[:1].upper() + self.candidate.words[1:]
        if self.failure:
            return _("{python} cannot be used: {reason}").format(python=whose, reason=self.failure)
        if self.isTooOld:
            words = _("{python} is version {version}; the engine needs {oldest} or later.")
            return words.format(python=whose, version=self.pythonVersion, oldest=OLDEST_PYTHON)
        if self.missing:
            return _("{python} lacks {packages}.").format(python=whose, packages=", ".join(map(str, self.missing)))
        return _("{python} has all that the engine needs.").format(python=whose)


def candidates(chosen: str | None) -> list[Candidate]:
    """The Pythons that come into question, the first choice first, each once.

    Args:
        chosen: the program that the user chose; None or "" for none.
    """
    own, checkout = _ownInterpreter(), _checkoutInterpreter(Path(__file__))
    found: dict[str, Candidate] = {}

    def add(python: str | None, words: str) -> None:
        if python:
            place = _place(python)
            isOwn = own is not None and place == _place(own)
            found.setdefault(place, Candidate(os.path.expanduser(python), isOwn, words))  # noqa: PTH111

    add(chosen, _("the Python that you chose"))
    add(os.environ.get(PYTHON_VARIABLE), _("the Python that {name} names").format(name=PYTHON_VARIABLE))
    add(own, _("the Python of 3D Slicer") if _isApplication() else _("the Python that runs this"))
    add(checkout, _("the Python of this source checkout"))
    add(_pythonOnPath(), _("the Python that a terminal finds"))
    return list(found.values())


def probe(transport: Transport, candidate: Candidate, onDone: Callable[[ProbeResult], None]) -> Cancellable:
    """Asks a Python what it has, for `PROBE_SECONDS` at most; tells it later, once."""
    return _Probe(transport, candidate, onDone)


def findInterpreter(
    transport: Transport, chosen: str | None, onDone: Callable[[Candidate | None, list[ProbeResult]], None]
) -> Cancellable:
    """Looks for a Python that can run the engine.

    Args:
        transport: by which they are asked, one after the other.
        chosen: the program that the user chose; None or "" for none.
        onDone: called later, once, with the first that is complete, or None, and with what all that were asked had.
    """
    return _Search(transport, candidates(chosen), onDone)


class _Probe:
    """A Python that is being asked."""

    def __init__(self, transport: Transport, candidate: Candidate, onDone: Callable[[ProbeResult], None]) -> None:
        self._candidate = candidate
        self._onDone: Callable[[ProbeResult], None] | None = onDone
        self._result: ProbeResult | None = None
        self._complaint = ""
        self._alarm = transport.callLater(PROBE_SECONDS, self._tooLate)
        names = [requirement.name for requirement in NEEDED]
        environment = ownEnvironment() if candidate.isOwnInterpreter else command.environment(startupEnvironment())
        self._process: ChildProcess = transport.startProcess(
            [candidate.python, "-c", inspect.getsource(package_versions), *names],
            environment,
            ProcessCallbacks(self._said, self._complained, self._exited, self._notStarted),
        )
        # Whatever it is instead of a Python, it shall not wait for something to be typed.
        self._process.closeInput()

    def cancel(self) -> None:
        """Tells nobody, and ends the process."""
        self._onDone = None
        self._alarm.cancel()
        self._process.kill()

    def _said(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
            versions = {str(name): str(version) for name, version in answer[package_versions.MARK].items()}
            self._result = ProbeResult(self._candidate, str(answer["python"]), versions)
        except (ValueError, TypeError, LookupError, AttributeError):
            return  # Said by something that runs whenever this Python starts.

    def _complained(self, line: bytes) -> None:
        self._complaint = line.decode(errors="replace").strip() or self._complaint

    def _exited(self, code: int) -> None:
        if self._result is not None and code == 0:
            self._tell(self._result)
            return
        words = _("{program} did not answer as a Python does (exit code {code}).")
        last = " " + _("It said: {complaint}").format(complaint=self._complaint) if self._complaint else ""
        self._fail(words.format(program=self._candidate.python, code=code) + last)

    def _notStarted(self, reason: str) -> None:
        self._fail(_("it could not be started. {reason}").format(reason=reason))

    def _tooLate(self) -> None:
        words = _("{program} did not answer within {seconds:.0f} seconds.")
        self._fail(words.format(program=self._candidate.python, seconds=PROBE_SECONDS))
        self._process.kill()

    def _fail(self, failure: str) -> None:
        self._tell(ProbeResult(self._candidate, failure=failure))

    def _tell(self, result: ProbeResult) -> None:
        self._alarm.cancel()
        onDone, self._onDone = self._onDone, None
        if onDone is not None:
            onDone(result)


class _Search:
    """Pythons that are being asked, one after the other."""

    def __init__(
        self,
        transport: Transport,
        waiting: list[Candidate],
        onDone: Callable[[Candidate | None, list[ProbeResult]], None],
    ) -> None:
        self._transport = transport
        self._waiting = waiting
        self._onDone = onDone
        self._results: list[ProbeResult] = []
        self._asking: Cancellable = transport.callLater(0, self._next)

    def cancel(self) -> None:
        """Tells nobody, and asks nobody any more."""
        self._asking.cancel()

    def _next(self) -> None:
        if self._waiting:
            self._asking = probe(self._transport, self._waiting.pop(0), self._probed)
        else:
            self._onDone(None, self._results)

    def _probed(self, result: ProbeResult) -> None:
        self._results.append(result)
        if result.isComplete:
            self._onDone(result.candidate, self._results)
        else:
            self._next()


def _isApplication() -> bool:
    return hasattr(slicer, "app")


def _ownInterpreter() -> str | None:
    """The program that runs Python as the application does; the application itself is none."""
    if not _isApplication():
        return sys.executable or None
    # Slicer puts it into the path of its process.
    python = shutil.which("PythonSlicer")
    if python is None and Path(sys.executable or "").stem.lower().startswith("python"):
        python = sys.executable
    return python


def _checkoutInterpreter(module: Path) -> str | None:
    """The Python that `make` sets up at the top of a source checkout; None when a module does not lie in one."""
    for folder in module.resolve().parents:
        if (folder / "pyproject.toml").is_file() and (folder / ".venv").is_dir():
            for python in (folder / ".venv" / "bin" / "python", folder / ".venv" / "Scripts" / "python.exe"):
                if python.is_file():
                    return str(python)
    return None


def _pythonOnPath() -> str | None:
    """The Python that the user gets who types its name, without what the application has put before it."""
    path = next((value for name, value in startupEnvironment().items() if name.upper() == "PATH"), "")
    return shutil.which("python3", path=path) or shutil.which("python", path=path)


def _place(python: str) -> str:
    # Links are not followed: the Python of a virtual environment is often a link to the one that it was made with.
    return os.path.normcase(os.path.abspath(os.path.expanduser(python)))  # noqa: PTH100, PTH111
