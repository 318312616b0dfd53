"""Hands files to the browser, each once, and deletes them."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path

from aiohttp import web

from MSAMSegmentWeb import folders

PATH = "/download/{token}"
# Files that nobody fetched are kept until so many newer ones are there.
KEPT = 4
PORTION = 1 << 18


class Downloads:
    """A folder of files that wait to be fetched."""

    def __init__(self) -> None:
        self._root = folders.make("download")
        self._offers: dict[str, Path] = {}

    def new_folder(self) -> Path:
        """An empty folder to write into."""
        return Path(tempfile.mkdtemp(dir=self._root))

    def offer(self, file: Path) -> str:
        """The address, relative to the page, under which a file of such a folder can be fetched once."""
        token = secrets.token_urlsafe(24)
        self._offers[token] = file
        for old in list(self._offers)[:-KEPT]:
            shutil.rmtree(self._offers.pop(old).parent, ignore_errors=True)
        return PATH.removeprefix("/").format(token=token)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers `GET /download/...`."""
        file = self._offers.pop(request.match_info["token"], None)
        if file is None:
            return web.Response(status=404, text="This file has been fetched already; export it again.")
        try:
            response = web.StreamResponse(
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(file.stat().st_size),
                    "Content-Disposition": f'attachment; filename="{file.name}"',
                    "Cache-Control": "no-store",
                }
            )
            await response.prepare(request)
            with file.open("rb") as content:
                while portion := content.read(PORTION):
                    await response.write(portion)
            await response.write_eof()
            return response
        finally:
            shutil.rmtree(file.parent, ignore_errors=True)

    def drop(self) -> None:
        """Deletes the files that wait; new ones can come."""
        for file in self._offers.values():
            shutil.rmtree(file.parent, ignore_errors=True)
        self._offers.clear()

    def close(self) -> None:
        """Deletes all files."""
        shutil.rmtree(self._root, ignore_errors=True)
