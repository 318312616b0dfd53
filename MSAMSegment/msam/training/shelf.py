"""Where the voxels of a data set are kept: in memory, and in files once that would be too much of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.errors import MsamError

FOLDER = "voxels"
# Liver and lung of the Decathlon have 50 and 15 GB of voxels and labels; a laptop has 16 GB of memory.
MOST_IN_MEMORY = 3 * 2**30


class Shelf:
    """Keeps arrays for as long as it is entered. What is in files is read as it is needed, and read once by the system.

    Args:
        parent: in whose folder `voxels` the files are; what an earlier run left there is removed.
        number: of this process among those that share the parent.
        most: bytes that are kept in memory.
    """

    def __init__(self, parent: Path, number: int = 0, most: int = MOST_IN_MEMORY) -> None:
        self._folder = parent / FOLDER / str(number)
        self._most = most
        self._in_memory = self._files = 0

    def keep(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array, or its twin in a file, which cannot be written to.

        Raises:
            MsamError: the file cannot be written.
        """
        if self._in_memory + array.nbytes <= self._most:
            self._in_memory += array.nbytes
            return array
        self._files += 1
        path = self._folder / f"{self._files}.npy"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
        except OSError as error:
            raise MsamError(
                f"The scans are more than memory holds, and cannot be written into '{self._folder}': {error.strerror}."
            ) from error
        return np.asarray(np.load(path, mmap_mode="r"))

    def __enter__(self) -> Shelf:
        self._clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clear()

    def _clear(self) -> None:
        # On Windows files that are still looked at stay, until the run goes on.
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._folder.parent.is_dir() and not any(self._folder.parent.iterdir()):
            self._folder.parent.rmdir()
