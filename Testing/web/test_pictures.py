"""Pictures of the page in its states, and what can be told from them without eyes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from desk import Desk, at_the_desk

from MSAMSegmentWeb.options import Options

SIZES = {"1280": (1280, 800), "2560": (2560, 1440)}
# Elements whose content is wider than they are, apart from those that are meant to shorten it.
OVERFLOWING = """() => [...document.querySelectorAll('.topbar, .topbar *, .panel, .panel *, .status')]
  .filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth + 1
    && getComputedStyle(one).textOverflow !== 'ellipsis' && !one.closest('svg'))
  .map((one) => one.className || one.tagName)"""


def lung_like_scan(path: Path) -> Path:
    from msam.phantom import thorax_phantom

    volume, _, lesions = thorax_phantom()
    volume.write_mask(volume.voxels > 0, path.with_name("geometry.nrrd"))
    image = sitk.GetImageFromArray(volume.voxels)
    image.CopyInformation(sitk.ReadImage(str(path.with_name("geometry.nrrd"))))
    sitk.WriteImage(image, str(path))
    path.with_suffix(".click").write_text(",".join(map(str, lesions[1].centre_ijk)))
    return path


@pytest.mark.parametrize("name", SIZES)
def test_pictures_of_the_page(chromium: str, tmp_path: Path, pictures: Path, name: str) -> None:
    scan = lung_like_scan(tmp_path / "Chest phantom.nrrd")
    click = [float(value) for value in scan.with_suffix(".click").read_text().split(",")]

    async def scenario(desk: Desk) -> None:
        async def picture(state: str) -> None:
            await desk.picture(pictures / f"page-{name}-{state}.png")
            assert await desk.page.evaluate(OVERFLOWING) == [], state

        await picture("empty")
        await desk.load(scan)
        await picture("loaded")
        desk.engine.service.drawing = replace(desk.engine.service.drawing, radius=17.0)
        await desk.click("Red", desk.world(click))
        await desk.idle()
        await desk.page.wait_for_selector(".measures dd")
        await desk.page.mouse.move(10, 300)
        await desk.page.wait_for_timeout(1200)
        await picture("result")
        await desk.press("l")
        await picture("axial")
        await desk.press("l")
        await picture("volume")
        await desk.press("l")
        await desk.page.click(".btn-advanced")
        await desk.page.click(".fold.points summary")
        await desk.page.click(".btn-window")
        await picture("menus")
        await desk.press("?")
        await picture("help")

    at_the_desk(chromium, scenario, size=SIZES[name])


def test_the_page_at_work_and_in_trouble(chromium: str, scan_file: Path, pictures: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        desk.engine.delay = 10_000
        await desk.click("Red", desk.world((30, 25, 20)))
        await desk.page.wait_for_selector(".btn-cancel")
        await desk.picture(pictures / "page-busy.png")
        desk.logic.cancel()
        desk.engine.delay = 0
        desk.engine.failNext("internal")
        await desk.click("Red", desk.world((32, 25, 20)))
        await desk.page.wait_for_selector(".error")
        await desk.picture(pictures / "page-error.png")

    at_the_desk(chromium, scenario)


def test_a_second_browser_sees_a_plain_page(chromium: str, pictures: Path) -> None:
    async def scenario(desk: Desk) -> None:
        context = await desk.browser.new_context()
        other = await context.new_page()
        await other.goto(desk.address)
        assert await other.locator("h1").inner_text() == "Somebody is already here"
        await other.screenshot(path=pictures / "page-occupied.png")
        # The first is not disturbed.
        assert await desk.page.locator(".topbar").count() == 1

    at_the_desk(chromium, scenario)


def test_another_tab_of_the_same_browser_takes_over(chromium: str, pictures: Path) -> None:
    async def scenario(desk: Desk) -> None:
        other = await desk.page.context.new_page()
        await other.goto(desk.address)
        await other.wait_for_selector(".topbar")
        await desk.page.wait_for_selector("h1:has-text('The connection is gone')")
        await desk.page.screenshot(path=pictures / "page-gone.png")
        desk.complaints.clear()

    at_the_desk(chromium, scenario)


def test_the_key_is_asked_for_and_may_stand_in_the_address(chromium: str, pictures: Path) -> None:
    from desk import FLAGS, served_page
    from playwright.async_api import async_playwright
    from stand_in_engine import StandInTransport

    key = "a-key-of-sixteen-letters"

    async def run() -> None:
        options = Options(port=0, open_browser=False, key=key)
        async with served_page(options, StandInTransport()) as (_, address), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            page = await browser.new_page()
            await page.goto(address)
            await page.screenshot(path=pictures / "page-key.png")
            await page.fill("input[name=key]", "another")
            await page.click("button")
            await page.wait_for_selector("#answer:has-text('not the key')")
            sent: list[str] = []
            page.on("request", lambda request: sent.append(request.url))
            await page.goto(f"{address}#key={key}")
            await page.reload()
            await page.wait_for_selector(".topbar")
            assert not [url for url in sent if url.partition("#")[0].find(key) >= 0]
            assert key not in page.url
            await browser.close()

    import asyncio

    asyncio.run(run())
