"""Baselines that live in programs of their own: other Python environments, other libraries, other licences.

A program is started once. It says on its first line what it is and what it wants to be given, and then answers one line
of JSON with another; arrays travel as `.npy` files.

| line            | JSON                                                                                        |
|-----------------|---------------------------------------------------------------------------------------------|
| greeting        | `{"wants": "clicks"}` or `{"wants": "boxes"}`; what else it knows: `"note": "a sentence"`   |
| request         | `{"voxels": PATH (K, J, I), "spacing": [i, j, k] in mm, "is_ct": bool, "mask": PATH, …}`    |
| … for clicks    | `"clicks": [{"ijk": [i, j, k], "positive": bool}, …]`                                       |
| … for boxes     | `"boxes": {"k": [i0, j0, i1, j1], …}`: of the true object in every slice, both ends inside  |
| answer          | `{}` once the mask (K, J, I) is at its PATH, or `{"error": "a sentence"}`                   |

Whoever knows more than the clicks has a note, which stands wherever it is compared.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.clicks import Click
from msam.errors import MsamError
from msam.volume import Volume

Mask = npt.NDArray[np.bool_]

BOXES_NOTE = (
    "is given no click but the box of the true object in every slice, which is far more: it tells where the object "
    "begins and ends along all three axes"
)


class Program:
    """A program that segments, as long as the block runs that it was started for.

    Args:
        name: for people.
        command: how it is started.
        folder: where arrays travel through.

    Attributes:
        wants: "clicks" or "boxes".
        note: what it knows beside the clicks, to follow its name in a sentence; empty where it knows nothing else.

    Raises:
        MsamError: it cannot be started, or greets in another way than it should.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self._folder = folder
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise MsamError(f"The baseline '{name}' cannot be started: {error.strerror}.") from error
        try:
            greeting = self._answer()
            self.wants = greeting.get("wants")
            self.note = str(greeting.get("note") or (BOXES_NOTE if self.wants == "boxes" else ""))
            if self.wants not in ("clicks", "boxes"):
                raise MsamError(f"The baseline '{name}' does not say whether it wants clicks or boxes.")
        except MsamError:
            self.end()
            raise

    def on(self, truth: Mask) -> Callable[[Volume, Sequence[Click]], Mask]:
        """The program as a baseline for one object.

        Args:
            truth: (K, J, I), the object; a program that wants clicks is told nothing of it.
        """
        if self.wants == "clicks":
            return self._from_clicks
        found: list[Mask] = []

        def from_boxes(volume: Volume, clicks: Sequence[Click]) -> Mask:
            if not found:  # clicks change nothing
                found.append(self._ask(volume, {"boxes": boxes(truth)}))
            return found[0]

        return from_boxes

    def end(self) -> None:
        """Ends the program."""
        self._process.kill()
        self._process.communicate()

    def _from_clicks(self, volume: Volume, clicks: Sequence[Click]) -> Mask:
        told = [{"ijk": [round(x) for x in click.position], "positive": click.positive} for click in clicks]
        return self._ask(volume, {"clicks": told})

    def _ask(self, volume: Volume, prompt: Mapping[str, Any]) -> Mask:
        voxels, mask = self._folder / "voxels.npy", self._folder / "mask.npy"
        np.save(voxels, volume.voxels)
        mask.unlink(missing_ok=True)
        request = {"voxels": str(voxels), "spacing": volume.spacing.tolist(), "is_ct": volume.is_ct, "mask": str(mask)}
        try:
            self._stdin.write(json.dumps({**request, **prompt}) + "\n")
            self._stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        complaint = self._answer().get("error")
        if complaint:
            raise MsamError(f"{self.name}: {complaint}")
        found = np.load(mask) != 0 if mask.exists() else np.zeros(0, bool)
        if found.shape != volume.voxels.shape:
            raise MsamError(f"The baseline '{self.name}' left no mask on the grid of the scan.")
        return np.asarray(found)

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise self._ended()
        try:
            return dict(json.loads(line))
        except (TypeError, ValueError) as error:
            raise MsamError(f"The baseline '{self.name}' answers something else than JSON: {line[:80]!r}.") from error

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    def _ended(self) -> MsamError:
        return MsamError(f"The baseline '{self.name}' has ended by itself; what it said is above.")


def boxes(truth: Mask) -> dict[str, list[int]]:
    """The box [i0, j0, i1, j1] of an object (K, J, I) in every slice k that shows it, both ends inside."""
    found = {}
    for k in np.flatnonzero(truth.any(axis=(1, 2))):
        j, i = np.nonzero(truth[k])
        found[str(k)] = [int(i.min()), int(j.min()), int(i.max()), int(j.max())]
    return found


@contextmanager
def running(named: Iterable[str]) -> Iterator[dict[str, Program]]:
    """Starts programs, and ends them with the block.

    Args:
        named: of each its name and its command, such as `grow=python grow.py`.

    Raises:
        MsamError: a text without a name or a command, or a program that cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="msam-") as folder, ExitStack() as stack:
        programs = {}
        for text in named:
            name, _, command = text.partition("=")
            if not name or not command.strip():
                raise MsamError(f"'{text}' is no program; write NAME=COMMAND, such as \"grow=python grow.py\".")
            programs[name] = Program(name, shlex.split(command), Path(folder))
            stack.callback(programs[name].end)
        yield programs
