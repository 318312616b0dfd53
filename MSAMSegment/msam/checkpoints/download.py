"""Fetching a public model: resumable, and trusted only after its SHA-256 has been checked."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msam.checkpoints.catalogue import PARTIAL_SUFFIXES
from msam.checkpoints.known import KnownModel, sha256_of
from msam.checkpoints.repository import Stated, ask, client_or_new, in_words, request
from msam.checkpoints.wording import megabytes
from msam.errors import Cancelled, DownloadError

if TYPE_CHECKING:
    import httpx

Progress = Callable[[int, int], None]

_SPARE_BYTES = 50_000_000  # left free on the disk


def download(
    model: KnownModel,
    folder: Path,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    client: httpx.Client | None = None,
) -> Path:
    """Fetch a public model into `folder`; an earlier, interrupted download goes on where it stopped.

    Args:
        model: what to fetch.
        folder: where to; made if need be.
        progress: told of the bytes that are there, and of all of them.
        cancelled: asked between pieces whether to stop.
        client: an `httpx.Client` to ask with; None makes one.

    Returns:
        The checked file.

    Raises:
        DownloadError: the repository cannot be reached or has another file, the transfer broke off (what arrived is
            kept), what arrived is not the file, or the disk is full.
        Cancelled: `cancelled` said so; what arrived is kept.
    """
    target = folder / model.installed_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if model.sha256 and target.is_file() and sha256_of(target) == model.sha256:
            return target
        with client_or_new(client) as http:
            return _Transfer(model, target, progress or _silent, cancelled or _never).run(http)
    except OSError as error:
        raise DownloadError(
            f"The model '{model.name}' cannot be stored in {folder}: {error.strerror}. Free some room there, or choose "
            "another folder by the environment variable MSAM_MODELS."
        ) from error


class _Transfer:
    """One download: the bytes so far in a `.part` file, and beside it a note of what they are part of."""

    def __init__(self, model: KnownModel, target: Path, progress: Progress, cancelled: Callable[[], bool]) -> None:
        self.model = model
        self.target = target
        self.part, self.note = (target.with_name(target.name + suffix) for suffix in PARTIAL_SUFFIXES)
        self.progress = progress
        self.cancelled = cancelled

    def run(self, http: httpx.Client) -> Path:
        import httpx

        try:
            stated = ask(http, self.model)
            there, tag = self._there_already(stated)
            self._check_room(stated.size - there)
            if there < stated.size:
                self._fetch(http, stated, there, tag)
        except httpx.HTTPError as error:
            raise DownloadError(self._interrupted(in_words(error))) from error
        self._check(stated)
        self.part.replace(self.target)
        self.note.unlink(missing_ok=True)
        return self.target

    def _there_already(self, stated: Stated) -> tuple[int, str | None]:
        """How many bytes of the very same file are there, and the tag the server gave them; else nothing is kept."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            there = self.part.stat().st_size
            if note["sha256"] == stated.sha256 and there <= stated.size:
                return there, note["tag"]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no note, or one that tells nothing: start anew
        self._discard()
        return 0, None

    def _fetch(self, http: httpx.Client, stated: Stated, there: int, tag: str | None) -> None:
        headers = {}
        if there:
            headers["Range"] = f"bytes={there}-"
            if tag and not tag.startswith("W/"):
                headers["If-Range"] = tag  # a file that has changed since is sent whole
        with request(http, "GET", self.model.url, headers) as response:
            expected_range = f"bytes {there}-{stated.size - 1}/{stated.size}"
            if there and response.status_code == 206 and response.headers.get("content-range") == expected_range:
                mode = "ab"
            elif response.status_code == 200:
                mode, there = "wb", 0
            else:
                self._discard()
                raise DownloadError(
                    f"The server could not go on with the download of '{self.model.name}': "
                    "the same command starts anew."
                )
            note = {"sha256": stated.sha256, "tag": response.headers.get("etag")}
            self.note.write_text(json.dumps(note), encoding="utf-8")
            with self.part.open(mode) as handle:
                self.progress(there, stated.size)
                for piece in response.iter_raw():
                    if self.cancelled():
                        raise Cancelled(
                            f"The download of '{self.model.name}' was cancelled at {megabytes(there)} of "
                            f"{megabytes(stated.size)}; the same command goes on from there."
                        )
                    there += len(piece)
                    if there > stated.size:
                        break
                    handle.write(piece)
                    self.progress(there, stated.size)
        if there > stated.size:
            self._discard()
            raise DownloadError(
                f"The server sent more than the {megabytes(stated.size)} of '{self.model.name}': "
                "what arrived was thrown away. Try again later, or from another network."
            )
        if there < stated.size:
            raise DownloadError(self._interrupted("the server closed the connection"))

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.target.parent).free
        if free < needed + _SPARE_BYTES:
            raise DownloadError(
                f"The model '{self.model.name}' needs {megabytes(needed)} more in {self.target.parent}, where only "
                f"{megabytes(free)} are free. Make room, or choose another folder by the environment variable "
                "MSAM_MODELS."
            )

    def _check(self, stated: Stated) -> None:
        if sha256_of(self.part) != stated.sha256:
            self._discard()
            raise DownloadError(
                f"What arrived is not the file of '{self.model.name}': its SHA-256 differs, so it was thrown away. "
                "Try again; if that happens again, something between here and the repository changes files."
            )

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _interrupted(self, reason: str) -> str:
        there = 0
        with contextlib.suppress(OSError):
            there = self.part.stat().st_size
        offline = (
            f"Or fetch {self.model.url} on another computer, and take it in with: "
            f"msam-segment import {self.model.file_name}"
        )
        if there:
            return (
                f"The download of '{self.model.name}' broke off at {megabytes(there)} of {megabytes(self.model.size)} "
                f"({reason}): the same command goes on from there. {offline}"
            )
        return f"The repository of '{self.model.name}' could not be reached ({reason}): check the network. {offline}"


def _silent(received: int, total: int) -> None:
    pass


def _never() -> bool:
    return False
