"""Segments as files for the browser."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from msam.errors import MsamError
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentWeb.archives import pack
from MSAMSegmentWeb.downloads import Downloads

ENDINGS = (".nrrd", ".nii.gz", ".seg.nrrd")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Exports:
    """Writes what was asked for into a folder of the downloads."""

    def __init__(self, logic: MSAMSegmentLogic, downloads: Downloads) -> None:
        self._logic, self._downloads = logic, downloads

    async def write(self, what: str, ending: str, *, separate: bool) -> str:
        """Exports and returns the address of the file.

        Args:
            what: "selected" or "all".
            ending: of the files, one of `ENDINGS`.
            separate: one file for each segment, together in a zip file.

        Raises:
            MsamError: there is nothing to export, or segments overlap in one label file; the text says what to do.
        """
        if ending not in ENDINGS:
            raise MsamError(f"Files that end in {ending} cannot be written; choose one of {', '.join(ENDINGS)}.")
        logic = self._logic
        identifiers = [logic.selectedSegment] if what == "selected" else list(logic.segmentIds())
        if not identifiers or not identifiers[0]:
            raise SceneError("There is no segment to export; click on a lesion first.")
        await asyncio.sleep(0)  # Lets the page show that it is at work.
        folder = self._downloads.new_folder()
        if not separate or len(identifiers) == 1:
            stem = self._name(identifiers[0]) if len(identifiers) == 1 else "segments"
            written = logic.exportSegments(identifiers, folder / f"{stem}{ending}")
        else:
            written = []
            for identifier in identifiers:
                written += logic.exportSegments([identifier], self._free(folder, self._name(identifier), ending))
        return self._downloads.offer(self._one(folder, [Path(path) for path in written]))

    def _one(self, folder: Path, written: list[Path]) -> Path:
        if len(written) == 1:
            return written[0]
        packed = folder / "segments.zip"
        pack(written, packed)
        return packed

    def _name(self, identifier: str) -> str:
        name = self._logic.segmentation.GetSegmentation().GetSegment(identifier).GetName()
        return UNSAFE.sub("_", name).strip("._") or "segment"

    def _free(self, folder: Path, stem: str, ending: str) -> Path:
        path, number = folder / f"{stem}{ending}", 2
        while path.exists():
            path, number = folder / f"{stem}_{number}{ending}", number + 1
        return path
