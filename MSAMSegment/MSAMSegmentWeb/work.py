"""The scan that is open: brought in from files, shown, replaced by the next one."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from trame_server.state import State

from msam.errors import MsamError, VolumeError
from msam.volume import Volume
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentWeb import colours, headers, scans, series
from MSAMSegmentWeb.options import UploadLimits
from MSAMSegmentWeb.panel import Panel
from MSAMSegmentWeb.reading import Dropped, Reading
from MSAMSegmentWeb.views import Views
from MSAMSegmentWeb.windows import Windows

logger = logging.getLogger(__name__)

NO_SCAN: dict[str, Any] = {
    "scan": None,
    "presets": [],
    "preset": "auto",
    "window_width": 1.0,
    "window_level": 0.0,
    "intensities": [0, 1],
}


class Work:
    """One scan at a time, with one segmentation."""

    def __init__(
        self,
        state: State,
        scene: slicer.vtkMRMLScene,
        logic: MSAMSegmentLogic,
        views: Views,
        panel: Panel,
        limits: UploadLimits,
    ) -> None:
        self.windows: Windows | None = None
        self._state, self._scene, self._logic, self._views, self._panel = state, scene, logic, views, panel
        self._limits = limits
        self.reading = Reading(state)
        self._one_at_a_time = asyncio.Lock()
        self._turn = 0  # Goes up when the page passes to somebody else.
        self._folder: Path | None = None  # Of an upload that waits for a choice between its series.
        state.update({**NO_SCAN, "choice": []})

    async def receive(self, folder: Path, name: str) -> None:
        """Opens what was sent. The folder is deleted once it has been read, or the choice in it has been made."""
        self._drop_folder()
        kept = False
        try:
            kept = await self._open_sent(folder, name)
        except Dropped:
            pass
        except MsamError as error:
            self._panel.say(str(error))
        finally:
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)

    async def choose(self, identifier: str) -> None:
        """Opens one of the series that were offered; nothing for "" (the user turned away)."""
        folder, offered = self._folder, list(self._state.choice)
        with self._state:
            self._state.choice = []
        entry = next((entry for entry in offered if entry["id"] == identifier), None)
        try:
            if folder is not None and entry is not None:
                await self.open(folder, entry["title"], series=identifier)
        finally:
            self._drop_folder()

    async def open(self, path: Path, name: str, *, series: str | None = None) -> None:
        """Reads a scan and puts it in the place of the one before. What goes wrong is said on the page."""
        await self._bring(name, lambda: scans.read_scan(path, series=series, most_voxels=self._limits.voxels))

    async def open_made(self, name: str, make: Callable[[], Volume]) -> None:
        """The same for a scan that is made or found by a function, called in another thread."""
        await self._bring(name, lambda: scans.ReadScan(make()))

    def add_segment(self) -> None:
        """Adds an empty segment, selected, in a colour of its own."""
        logic = self._logic
        taken = [logic.segmentation.GetSegmentation().GetSegment(each).GetColor() for each in logic.segmentIds()]
        identifier = logic.createSegment()
        colours.dress(logic.segmentation)
        logic.setSegmentColor(identifier, colours.next_colour([colours.to_hex(rgb) for rgb in taken]))

    def cancel_reading(self) -> bool:
        """Gives up the scan that is being read; whether there was one."""
        return self.reading.drop()

    def empty(self) -> None:
        """Takes away the scan with its segments, and whatever is on its way: the next user must not see it."""
        self._turn += 1
        self.reading.drop()
        self._drop_folder()
        self._logic.stopPlacing()
        self._clear(None)
        self._views.show(None)
        self.windows = None
        self._panel.start_anew()
        with self._state:
            self._state.update({**NO_SCAN, "choice": [], "error": "", "can_retry": False})

    def close(self) -> None:
        """Deletes what is left of uploads."""
        self._drop_folder()

    async def _open_sent(self, folder: Path, name: str) -> bool:
        """Opens what is in a folder that was sent, and returns whether it waits there for a choice."""
        files = [path for path in folder.iterdir() if path.is_file()]
        single = scans.main_file(files)
        if single is not None:
            await asyncio.to_thread(headers.check, single)
            # Where one file was sent it is known by the name that it has at the sender.
            sent_alone = len(files) == 1 and Path(name).suffix.lower() == single.suffix.lower()
            await self.open(single, scans.name_of(name if sent_alone else single.name))
            return False
        found = await self.reading.do(f"Looking at {len(files)} files", lambda: series.find(folder))
        if not found:
            raise VolumeError(
                f"None of these {len(files)} files is a scan that this page can read: NIfTI, NRRD, MHA, or DICOM."
            )
        if len(found) > 1:
            self._folder = folder
            with self._state:
                self._state.choice = [{"id": one.identifier, "title": one.title} for one in found]
            return True
        await self.open(folder, found[0].title)
        return False

    async def _bring(self, name: str, make: Callable[[], scans.ReadScan]) -> None:
        turn = self._turn
        async with self._one_at_a_time:
            with self._state:
                self._state.error = ""
            try:
                scan = await self.reading.do(f"Reading {name}", make)
                if turn == self._turn:
                    self._replace(scan, name)
            except Dropped:
                pass
            except MsamError as error:
                self._panel.say(str(error))
            except MemoryError:
                self._panel.say("The scan does not fit into the memory of this page's computer; crop it first.")
            except Exception as error:
                logger.error("a scan could not be opened: %s", type(error).__name__)
                self._panel.say("The scan could not be opened for a reason nobody foresaw; try another file of it.")

    def _replace(self, scan: scans.ReadScan, name: str) -> None:
        volume = scan.volume
        node = scans.add_to_scene(self._scene, volume, name)
        self.windows = Windows(volume, node)
        self._clear(node)
        # Before any segment is there: planes draw in the order in which things come, and masks lie on the scan.
        self._views.show(node)
        self.add_segment()
        self._panel.start_anew()
        self._logic.startPlacing(True)
        with self._state:
            self._state.scan = {"name": name, **scans.describe(scan)}
            self._state.presets = self.windows.presets
            self._state.intensities = list(self.windows.range)
        self.show_window("auto")

    def _clear(self, following: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Removes the scan and its segments; another scan, or none, takes its place."""
        old = [self._logic.segmentation, self._logic.inputVolume]
        self._logic.cancel()
        self._logic.setInputVolume(following)
        self._logic.setSegmentation(None)
        for gone in old:
            if gone is not None:
                self._scene.RemoveNode(gone)

    def show_window(self, preset: str) -> None:
        """Says which window is set."""
        if self.windows is None:
            return
        with self._state:
            self._state.preset = preset
            self._state.window_width, self._state.window_level = self.windows.window, self.windows.level

    def _drop_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
