"""A browser at the page: what a user would do, and what can be asked of the page and of the scene meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import vtk
from playwright.async_api import Browser, Page, async_playwright
from stand_in_engine import StandInTransport

from MSAMSegmentLib.segments import readMask
from MSAMSegmentWeb.app import Page as ServedPage
from MSAMSegmentWeb.options import Options

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = (1280, 800)
# The machine that runs the tests may be busy.
PATIENCE = 30.0
PUMP_SECONDS = 0.005


class Desk:
    """One browser window at a served page.

    Attributes:
        served: the page, with its logic and its views.
        engine: the engine's stand-in.
        page: Playwright's page.
        browser: for further windows.
        address: of the page.
        asked: the addresses of all requests that the browser made.
        complaints: errors in the browser's console.
    """

    def __init__(
        self, served: ServedPage, engine: StandInTransport, page: Page, browser: Browser, address: str
    ) -> None:
        self.served, self.engine, self.page, self.browser, self.address = served, engine, page, browser, address
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))

    @property
    def logic(self) -> Any:
        """The logic behind the page."""
        return self.served.logic

    def state(self, name: str) -> Any:
        """A value of the page's state, as the server has it."""
        return self.served.server.state[name]

    async def until(self, isSo: Callable[[], Any], what: str) -> None:
        """Waits until something is so."""
        end = time.monotonic() + PATIENCE
        while not isSo():
            assert time.monotonic() < end, f"{what} did not happen; {self.logic.status}, {self.state('error')!r}"
            await asyncio.sleep(0.02)

    async def open(self) -> None:
        """Opens the page and waits until it is there."""
        await self.page.goto(self.address)
        await self.page.wait_for_selector(".topbar")

    async def load(self, *files: Path) -> None:
        """Sends a scan with the button for files, and waits until it is shown and clicks mean lesion."""
        await self.page.set_input_files("#files", [str(file) for file in files])
        await self.page.wait_for_selector(".scan strong")
        await self.page.wait_for_selector(".btn-positive.on")

    async def idle(self) -> None:
        """Waits until nothing is under way any more."""
        await self.until(lambda: not self.logic.isBusy, "the end of the step")

    async def press(self, key: str) -> None:
        """Presses a key of the page."""
        await self.page.keyboard.press(key)

    async def point_at(self, tag: str, world: Sequence[float]) -> tuple[float, float]:
        """Moves the mouse to a position (RAS, mm) in a plane that shows it; tells where that is on the page."""
        view = self.served.views.plane(tag)
        box = await self.page.locator(f".view-{tag}").bounding_box()
        assert box is not None
        await self.until(lambda: _fits(view.render_window().GetSize(), box), "the view's size")
        matrix = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(view.get_view_node().GetXYToRAS(), matrix)
        x, y, _, _ = matrix.MultiplyPoint((*world, 1.0))
        width, height = view.render_window().GetSize()
        place = (box["x"] + x * box["width"] / width, box["y"] + (height - y) * box["height"] / height)
        await self.page.mouse.move(place[0] - 6, place[1] - 4)
        await self.page.mouse.move(*place)
        await asyncio.sleep(0.15)
        return place

    async def click(self, tag: str, world: Sequence[float]) -> None:
        """Clicks at a position (RAS, mm) in a plane, after bringing the plane there."""
        self.served.views.jump(world)
        await self.point_at(tag, world)
        count = len(self.logic.points())
        await self.page.mouse.down()
        await self.page.mouse.up()
        await self.until(lambda: len(self.logic.points()) == count + 1, "the point")

    def world(self, ijk: Sequence[float]) -> tuple[float, ...]:
        """Where a voxel of the scan is (RAS, mm)."""
        matrix = vtk.vtkMatrix4x4()
        self.logic.inputVolume.GetIJKToRASMatrix(matrix)
        return tuple(matrix.MultiplyPoint((*ijk, 1.0))[:3])

    def mask(self, segment_id: str | None = None) -> np.ndarray:
        """The voxels [k, j, i] of a segment on the scan's grid."""
        mask = readMask(self.logic.segmentation, segment_id or self.logic.selectedSegment)
        return mask.whole(self.logic.inputVolume.GetImageData().GetDimensions())

    async def picture(self, path: Path) -> None:
        """Photographs the page once its views are drawn."""
        await asyncio.sleep(0.6)
        await self.page.screenshot(path=path)


def _fits(size: Sequence[int], box: dict[str, float]) -> bool:
    return abs(size[0] - box["width"]) < 2 and abs(size[1] - box["height"]) < 2


@asynccontextmanager
async def served_page(options: Options, engine: StandInTransport) -> AsyncIterator[tuple[ServedPage, str]]:
    async def pump() -> None:
        while True:
            engine.pump()
            await asyncio.sleep(PUMP_SECONDS)

    served = ServedPage(options, engine)
    announced: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    pumping = asyncio.create_task(pump())
    serving = asyncio.create_task(served.serve(announced.set_result))
    try:
        await asyncio.wait([serving, announced], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        yield served, announced.result()
    finally:
        pumping.cancel()
        serving.cancel()
        await asyncio.gather(serving, pumping, return_exceptions=True)


def at_the_desk(
    chromium: str,
    scenario: Callable[[Desk], Coroutine[Any, Any, None]],
    options: Options | None = None,
    size: tuple[int, int] = SIZE,
) -> None:
    """Serves a page, sits a browser in front of it, and runs a scenario. No page may complain in the browser."""

    async def run() -> None:
        engine = StandInTransport()
        chosen = replace(options or Options(), port=0, open_browser=False)
        async with served_page(chosen, engine) as (served, address), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, accept_downloads=True)
            page = await context.new_page()
            desk = Desk(served, engine, page, browser, address)
            try:
                await desk.open()
                await scenario(desk)
            finally:
                await browser.close()
            assert not desk.complaints, desk.complaints

    asyncio.run(run())
