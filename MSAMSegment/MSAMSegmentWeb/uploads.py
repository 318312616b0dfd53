"""Takes scans from the browser: written to a folder of their own as they come, bounded, and deleted after reading."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from aiohttp import BodyPartReader, web

from msam.errors import MsamError
from MSAMSegmentWeb import folders
from MSAMSegmentWeb.archives import unpack
from MSAMSegmentWeb.options import UploadLimits
from MSAMSegmentWeb.reading import Dropped, Reading

PATH = "/upload"
PORTION = 1 << 20
# Without a byte, after which an upload is given up: the next one has to wait for it.
PORTION_SECONDS = 30.0
# What a multipart message needs beside the files: headers and borders.
OVERHEAD_PER_FILE = 1024
UNSAFE = re.compile(r"[^\w.\- ]+")
LONGEST_NAME, LONGEST_ENDING = 120, 12
NAMELESS = "scan"

# Gets the folder that the files are in, and the name of the first; takes care of the folder from then on.
Received = Callable[[Path, str], Awaitable[None]]
T = TypeVar("T")


class Uploads:
    """One upload at a time."""

    def __init__(self, limits: UploadLimits, reading: Reading, received: Received) -> None:
        self._limits, self._reading, self._received = limits, reading, received
        self._task: asyncio.Task[object] | None = None  # Of the one that is under way.

    async def handle(self, request: web.Request) -> web.Response:
        """Answers `POST /upload`, a form with one file or all files of a folder."""
        if self._task is not None:
            return _refusal(409, "Another scan is being sent just now; wait until it is there.")
        self._task = asyncio.current_task()
        folder = folders.make("upload")
        name, handed_over = "", False
        try:
            self._check_length(request.content_length, folder)
            name = await self._write(request, folder)
            handed_over = True
            await self._received(folder, name)
        except Dropped:
            pass  # Whoever sent it has turned away, and waits for no words.
        except MsamError as error:
            return _refusal(413, str(error))
        except TimeoutError:
            return _refusal(408, "The files have stopped arriving half-way; check the network and send them again.")
        except (OSError, ValueError):
            return _refusal(400, "The files did not arrive complete; send them again.")
        finally:
            self._task = None
            if not handed_over:
                shutil.rmtree(folder, ignore_errors=True)
        return web.json_response({"name": name})

    def drop(self) -> None:
        """Gives up what is under way."""
        if self._task is not None:
            self._task.cancel()

    def _check_length(self, announced: int | None, folder: Path) -> None:
        if announced is None:
            raise MsamError("The browser does not say how much it sends; try another one.")
        if announced > self._limits.total_bytes + OVERHEAD_PER_FILE * self._limits.files:
            raise MsamError(self._too_much())
        if announced > shutil.disk_usage(folder).free // 2:
            raise MsamError("There is too little room on the disk of this page's computer for these files.")

    async def _write(self, request: web.Request, folder: Path) -> str:
        """Writes the files down, unpacks what is packed, and returns the name of the first."""
        first, files, left = "", 0, self._limits.total_bytes
        parts = await request.multipart()
        while (part := await _in_time(parts.next())) is not None:
            if not isinstance(part, BodyPartReader) or not part.filename:
                continue
            files += 1
            if files > self._limits.files:
                raise MsamError(f"These are more than {self._limits.files} files; send the folder of one scan.")
            first = first or Path(part.filename.replace("\\", "/")).name
            path = free_path(folder, part.filename)
            with path.open("wb") as file:
                while portion := await _in_time(part.read_chunk(PORTION)):
                    left -= len(portion)
                    if left < 0:
                        raise MsamError(self._too_much())
                    file.write(portion)
        if not files:
            raise MsamError("No file arrived; choose a scan and send it again.")
        for packed in [path for path in folder.iterdir() if path.suffix.lower() == ".zip"]:
            limits = {"most_files": self._limits.files, "most_bytes": self._limits.total_bytes}
            await self._reading.do("Unpacking", partial(unpack, packed, folder, **limits))
            packed.unlink()
        return first

    def _too_much(self) -> str:
        return f"These files are larger than the {self._limits.total_bytes / 2**30:.1f} GiB that this page takes."


async def _in_time(arriving: Awaitable[T]) -> T:
    return await asyncio.wait_for(arriving, PORTION_SECONDS)


def free_path(folder: Path, sent_name: str) -> Path:
    """Where a file goes: its own name without any folder, made safe, and numbered where it is taken.

    The name is kept because headers name their data files, and readers go by the ending.
    """
    name = UNSAFE.sub("_", Path(sent_name.replace("\\", "/")).name).lstrip(". ") or NAMELESS
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - LONGEST_ENDING] + name[-LONGEST_ENDING:]
    path, number = folder / name, 1
    while path.exists():
        path, number = folder / f"{number:05d}-{name}", number + 1
    return path


def _refusal(status: int, words: str) -> web.Response:
    return web.json_response({"error": words}, status=status)
