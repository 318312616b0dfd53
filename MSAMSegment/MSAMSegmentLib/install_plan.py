"""What of the engine's packages a Python lacks, how large that is, and whether it can be installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from MSAMSegmentLib.interpreters import ProbeResult
from MSAMSegmentLib.requirements import TORCH, Requirement
from MSAMSegmentLib.translation import tr as _

# About what is downloaded, in MB, with all that comes along.
MEGABYTES = {"fastapi": 3, "uvicorn": 1, "safetensors": 1, "zstandard": 6, "SimpleITK": 53, "numpy": 17, "torch": 200}
UNKNOWN_MEGABYTES = 5
TORCH_WITH_CUDA = "3 GB"

# Slicer is built with these and uses them itself: another version in their place breaks Slicer.
PART_OF_SLICER = ("numpy", "SimpleITK")


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
        return questionFor(self.requirements, self.torch)


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


def questionFor(missing: Sequence[Requirement], torch: Requirement | None) -> str:
    """What the user is asked before these packages are downloaded; "" when there are none."""
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
    package, version, size = titleOf(requirement), requirement.minimum, megabytesOf(requirement)
    if isTorch:
        return _(
            "- {package} {version} or later, about {size} MB (up to {most} where there is an NVIDIA graphics card)"
        ).format(package=package, version=version, size=size, most=TORCH_WITH_CUDA)
    return _("- {package} {version} or later, about {size} MB").format(package=package, version=version, size=size)


def titleOf(requirement: Requirement) -> str:
    """What people call a package."""
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
