"""What the engine needs of a Python: packages, and from which version on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msam.resources import resources_folder

OLDEST_PYTHON = "3.11"


@dataclass(frozen=True)
class Requirement:
    """A package, and the first version of it that will do.

    Attributes:
        name: of the package, by which it is installed and imported.
        minimum: such as "0.115".
    """

    name: str
    minimum: str

    def __str__(self) -> str:
        """As pip wants it."""
        return f"{self.name}>={self.minimum}"

    def isMetBy(self, versions: Mapping[str, str]) -> bool:
        """Whether what is installed, by name, will do."""
        return self.name in versions and isAtLeast(versions[self.name], self.minimum)


def isAtLeast(version: str, minimum: str) -> bool:
    """Whether a version is a certain one or a later one. Builds (+cpu) and previews (rc1) count as their release."""
    return _release(version) >= _release(minimum)


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.split(r"[^\d.]", version, maxsplit=1)[0].split(".") if number]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _read(path: Path) -> tuple[Requirement, ...]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split(">=") for line in lines if line and not line.startswith("#"))
    return tuple(Requirement(name.strip(), minimum.strip()) for name, minimum in pairs)


REQUIREMENTS = _read(resources_folder() / "requirements.txt")
TORCH = Requirement("torch", "2.6")
