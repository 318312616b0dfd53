"""What is given up on the page, and what the next one at it does not see."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from desk import Desk, at_the_desk

from msam.errors import VolumeError
from MSAMSegmentWeb import guard, scans
from MSAMSegmentWeb.options import Options

MIDDLE = (30, 25, 20)


def test_the_next_browser_finds_nothing_of_the_one_before(
    chromium: str, scan_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "GRACE_SECONDS", 0.5)

    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.page.wait_for_selector(".measures dd")
        await desk.page.reload()
        await desk.page.wait_for_selector(".measures dd")
        desk.complaints.clear()  # The connection that the reload has ended.
        await desk.page.close()
        await desk.until(lambda: not desk.served.guard.is_occupied, "the end of the wait")

        page = await (await desk.browser.new_context()).new_page()
        await page.goto(desk.address)
        await page.wait_for_selector(".welcome h1")
        assert await page.locator(".scan").count() == 0 and await page.locator(".measures").count() == 0
        assert desk.logic.inputVolume is None and desk.logic.segmentation is None
        for kind in ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"):
            assert desk.logic.scene.GetNumberOfNodesByClass(kind) == 0
        await page.set_input_files("#files", str(scan_file))
        await page.wait_for_selector(".scan strong")

    at_the_desk(chromium, scenario)


@pytest.mark.parametrize("way", ["button", "key"])
def test_a_scan_that_is_being_read_can_be_given_up(
    chromium: str, scan_file: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    read, go_on = scans.read_scan, threading.Event()

    def slowly(*arguments: object, **options: object) -> scans.ReadScan:
        go_on.wait(60)
        return read(*arguments, **options)  # type: ignore[arg-type]

    async def scenario(desk: Desk) -> None:
        monkeypatch.setattr(scans, "read_scan", slowly)
        await desk.page.set_input_files("#files", str(scan_file))
        await desk.page.wait_for_selector(".btn-cancel-reading")
        if way == "button":
            await desk.page.click(".btn-cancel-reading")
        else:
            await desk.press("Escape")
        await desk.page.wait_for_selector(".btn-cancel-reading", state="detached")
        go_on.set()
        monkeypatch.setattr(scans, "read_scan", read)
        await desk.page.wait_for_selector(".welcome h1")
        assert desk.logic.inputVolume is None and not desk.state("error")
        await desk.load(scan_file)

    at_the_desk(chromium, scenario)


def test_a_series_with_too_many_voxels_is_refused_before_it_is_read(dicom_folder: Path) -> None:
    with pytest.raises(VolumeError, match="million voxels, and this page takes up to"):
        scans.read_scan(dicom_folder, most_voxels=60 * 50 * 40 - 1)
    assert scans.read_scan(dicom_folder, most_voxels=60 * 50 * 40).volume.shape_ijk == (60, 50, 40)


@pytest.mark.parametrize(
    ("url", "words"),
    [(None, "stays on the computer"), ("https://gpu.example.org:8421", "sent to the engine at gpu.example.org.")],
)
def test_the_page_says_where_the_scan_goes(chromium: str, url: str | None, words: str) -> None:
    async def scenario(desk: Desk) -> None:
        assert words in await desk.page.locator(".welcome .fine").inner_text()

    at_the_desk(chromium, scenario, Options(engine_url=url))
