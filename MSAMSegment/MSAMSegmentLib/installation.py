"""Gives 3D Slicer's own Python what the engine needs, after asking.

    findInterpreter(transport, chosen, onDone)      # somewhere there may be a Python that has it all
    plan = planFor(result)                          # what the one that was asked lacks
    Installer(plan, ask, progress).run()            # installs that; begun again, it goes on where it ended

PyTorch comes through Slicer's extension "PyTorch", which knows the build that fits the computer.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from subprocess import CalledProcessError
from typing import Any

import slicer

from msam.errors import Cancelled
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.interpreters import Candidate, ProbeResult, candidates, findInterpreter, probe
from MSAMSegmentLib.package_versions import installed_versions
from MSAMSegmentLib.requirements import REQUIREMENTS, TORCH, Requirement
from MSAMSegmentLib.translation import tr as _

__all__ = [
    "REQUIREMENTS",
    "TORCH",
    "Candidate",
    "InstallPlan",
    "Installer",
    "ProbeResult",
    "Requirement",
    "candidates",
    "findInterpreter",
    "planFor",
    "probe",
]

REQUESTER = "MSAMSegment"

# About what is downloaded, in MB, with all that comes along.
MEGABYTES = {"fastapi": 3, "uvicorn": 1, "safetensors": 1, "zstandard": 6, "SimpleITK": 53, "numpy": 17, "torch": 200}
UNKNOWN_MEGABYTES = 5
TORCH_WITH_CUDA = "3 GB"

# Slicer is built with these and uses them itself: another version in their place breaks Slicer.
PART_OF_SLICER = ("numpy", "SimpleITK")

NO_EXTENSION = _(
    'PyTorch is missing, and the extension "PyTorch" that installs it is not there. Open the Extensions Manager (menu '
    'View), install "PyTorch", restart 3D Slicer, and try again.'
)
TRY_AGAIN = _("What was installed before stays; try again to go on from there.")


@dataclass(frozen=True)
class InstallPlan:
    """What a Python lacks, and whether that can be installed.

    Attributes:
        packages: that are missing or too old, without PyTorch.
        torch: PyTorch, if that is missing or too old.
        obstacle: why nothing can be installed, as a sentence; "" when it can.
    """

    packages: tuple[Requirement, ...]
    torch: Requirement | None = None
    obstacle: str = ""

    @property
    def isTorchMissing(self) -> bool:
        """Whether PyTorch is among what is missing."""
        return self.torch is not None

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """All of it, in the order in which it is installed."""
        return self.packages if self.torch is None else (*self.packages, self.torch)

    @property
    def megabytes(self) -> int:
        """About how much is downloaded, without a graphics card."""
        return sum(map(megabytesOf, self.requirements))

    @property
    def question(self) -> str:
        """What the user is asked before anything is downloaded; "" when nothing is missing."""
        return _question(self.requirements, self.torch)


def megabytesOf(requirement: Requirement) -> int:
    """About how much is downloaded for a package, in MB, without a graphics card."""
    return MEGABYTES.get(requirement.name, UNKNOWN_MEGABYTES)


def planFor(result: ProbeResult) -> InstallPlan:
    """What to install so that the Python that was asked can run the engine.

    Only Slicer's own Python is ever changed; the plan for another one says in its `obstacle` what its owner can do.
    """
    packages = tuple(each for each in result.missing if each != TORCH)
    torch = TORCH if TORCH in result.missing else None
    return InstallPlan(packages, torch, _obstacle(result))


class Installer:
    """Installs what is missing into the Python that this runs in."""

    def __init__(
        self,
        plan: InstallPlan,
        ask: Callable[[str], bool],
        progress: Callable[[float, str], None],
        isCancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepares; `run` installs.

        Args:
            plan: what to install.
            ask: shows a question to the user and tells whether the answer was yes.
            progress: told the fraction done, 0 to 1, and what is being done.
            isCancelled: whether the user wants it to stop; asked between packages.
        """
        self._plan = plan
        self._ask = ask
        self._progress = progress
        self._isCancelled = isCancelled

    def run(self) -> None:
        """Installs what of the plan is still missing now. Returns when all of it is there.

        Raises:
            Cancelled: the user did not agree, or cancelled; what was installed until then stays.
            SceneError: it did not work; the text says why, and what to do.
        """
        if self._plan.obstacle:
            raise SceneError(self._plan.obstacle)
        missing = _stillMissing(self._plan.requirements)
        if missing:
            torchUtils = _torchUtils() if self._plan.torch in missing else None
            if not self._ask(_question(missing, self._plan.torch)):
                raise Cancelled(_("Nothing was installed."))
            self._installAll(missing, torchUtils)
        self._progress(1.0, _("All that the engine needs is installed."))

    def _installAll(self, missing: Sequence[Requirement], torchUtils: Any) -> None:
        total, done = sum(map(megabytesOf, missing)), 0
        for requirement in missing:
            words = _("Installing {package} (about {size} MB)")
            self._progress(done / total, words.format(package=_title(requirement), size=megabytesOf(requirement)))
            # After it, since it lets the application take notice of what was pressed while a package was installed.
            if self._isCancelled():
                raise Cancelled(_("The installation was cancelled.") + " " + TRY_AGAIN)
            if requirement == self._plan.torch:
                _installTorch(torchUtils, requirement)
            else:
                _installPackage(requirement)
            if _stillMissing([requirement]):
                words = _("{package} was installed, but 3D Slicer does not find it. Restart 3D Slicer and try again.")
                raise SceneError(words.format(package=_title(requirement)))
            done += megabytesOf(requirement)


def _question(missing: Sequence[Requirement], torch: Requirement | None) -> str:
    if not missing:
        return ""
    lines = "".join(_line(each, each == torch) + "\n" for each in missing)
    return _(
        "The engine needs Python packages that are not installed yet:\n\n"
        "{packages}\n"
        "They are downloaded from the internet and installed into 3D Slicer's own Python, which all extensions share. "
        "This can take some minutes. No images are sent anywhere.\n\nInstall them now?"
    ).format(packages=lines)


def _line(requirement: Requirement, isTorch: bool) -> str:
    package, version, size = _title(requirement), requirement.minimum, megabytesOf(requirement)
    if isTorch:
        return _(
            "- {package} {version} or later, about {size} MB (up to {most} where there is an NVIDIA graphics card)"
        ).format(package=package, version=version, size=size, most=TORCH_WITH_CUDA)
    return _("- {package} {version} or later, about {size} MB").format(package=package, version=version, size=size)


def _title(requirement: Requirement) -> str:
    return "PyTorch" if requirement.name == TORCH.name else requirement.name


def _obstacle(result: ProbeResult) -> str:
    if result.isComplete:
        return ""
    if result.failure:
        return result.words
    if not result.candidate.isOwnInterpreter:
        if result.isTooOld:
            return result.words + " " + _("Choose another one.")
        # Without quotes a shell takes ">" for itself.
        wanted = " ".join(f'"{each}"' for each in result.missing)
        command = f'"{result.candidate.python}" -m pip install {wanted}'
        return result.words + " " + _("Install that with:") + " " + command
    if result.isTooOld:
        return result.words + " " + _("Install a newer 3D Slicer, or choose another Python.")
    old = [each for each in result.missing if each.name in PART_OF_SLICER and each.name in result.versions]
    if old:
        has = ", ".join(f"{each.name} {result.versions[each.name]}" for each in old)
        return _(
            "This 3D Slicer is too old: it comes with {has}, the engine needs {needs}, and another version in its "
            "place would break Slicer. Install a newer 3D Slicer, or choose another Python."
        ).format(has=has, needs=", ".join(map(str, old)))
    return ""


def _stillMissing(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    versions = installed_versions([each.name for each in requirements])
    return tuple(each for each in requirements if not each.isMetBy(versions))


def _installPackage(requirement: Requirement) -> None:
    try:
        try:
            packaging: Any = importlib.import_module("slicer.packaging")
        except ImportError:  # Slicer 5.10 and before
            slicer.util.pip_install(str(requirement))
        else:
            # Slicer's own progress is a dialog over the window, and with it over the button that cancels.
            packaging.pip_install([str(requirement)], requester=REQUESTER, show_progress=False)
    except CalledProcessError as error:
        words = _(
            "{package} could not be installed: pip ended with code {code}. Check the connection to the internet and "
            "the space on the disk; the Python console shows what pip said."
        ).format(package=requirement.name, code=error.returncode)
        raise SceneError(f"{words} {TRY_AGAIN}") from error
    except (OSError, RuntimeError) as error:
        words = _("{package} could not be installed: {reason}.").format(package=requirement.name, reason=error)
        raise SceneError(f"{words} {TRY_AGAIN}") from error


def _torchUtils() -> Any:
    try:
        return importlib.import_module("PyTorchUtils")
    except ImportError as error:
        raise SceneError(NO_EXTENSION) from error


def _installTorch(torchUtils: Any, requirement: Requirement) -> None:
    try:
        torch = torchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=False, torchVersionRequirement=f">={requirement.minimum}"
        )
    # The extension runs pip and imports what came of it: there is nothing that cannot go wrong.
    except Exception as error:
        words = _(
            "PyTorch could not be installed: {reason}. Check the connection to the internet and the space on the disk, "
            "restart 3D Slicer in case an older PyTorch is in use, and try again."
        ).format(reason=error)
        raise SceneError(f"{words} {TRY_AGAIN}") from error
    if torch is None:
        words = _('The extension "PyTorch" did not install PyTorch. Open the module PyTorch Utils.')
        raise SceneError(f"{words} {TRY_AGAIN}")
