"""Window and level by mouse: Ctrl and a drag over a plane, which means nothing else there."""

from __future__ import annotations

import math
from pathlib import Path

from desk import Desk, at_the_desk

MIDDLE = (30, 25, 20)


def test_a_drag_with_ctrl_sets_window_and_level_and_places_no_point(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        windows = desk.served.work.windows
        assert windows is not None
        before, offset = (windows.window, windows.level), desk.served.views.plane("Green").get_slice_value()
        box = await desk.page.locator(".view-Green").bounding_box()
        assert box is not None
        x, y = await desk.point_at("Green", desk.world(MIDDLE))
        await desk.page.keyboard.down("Control")
        await desk.page.mouse.down()
        # A quarter of the view to the right, half of that up: half an e-fold of width, a quarter of it in level.
        await desk.page.mouse.move(x + box["height"] / 4, y - box["height"] / 8, steps=5)
        await desk.until(lambda: windows.window > 1.6 * before[0], "a wider window")
        await desk.page.mouse.up()
        await desk.page.keyboard.up("Control")
        assert math.isclose(windows.window / before[0], math.exp(0.5), rel_tol=0.02)
        assert math.isclose((windows.level - before[1]) / before[0], 0.25, rel_tol=0.02)
        assert desk.state("preset") == ""
        await desk.page.wait_for_selector(".btn-window:has-text('Own window')")

        await desk.page.mouse.move(x, y, steps=3)  # let go of, the mouse changes nothing any more
        await desk.page.wait_for_timeout(300)
        assert windows.window > 1.6 * before[0]
        assert not desk.logic.points()
        assert desk.served.views.plane("Green").get_slice_value() == offset
        await desk.click("Green", desk.world(MIDDLE))

    at_the_desk(chromium, scenario)


def test_in_3d_and_without_a_scan_such_a_drag_does_nothing(chromium: str, scan_file: Path) -> None:
    async def drag(desk: Desk, tag: str) -> None:
        box = await desk.page.locator(f".view-{tag}").bounding_box()
        assert box is not None
        await desk.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await desk.page.keyboard.down("Control")
        await desk.page.mouse.down()
        await desk.page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2, steps=4)
        await desk.page.mouse.up()
        await desk.page.keyboard.up("Control")
        await desk.page.wait_for_timeout(300)

    async def scenario(desk: Desk) -> None:
        await drag(desk, "Red")
        await desk.load(scan_file)
        await drag(desk, "ThreeD")
        assert desk.state("preset") == "auto"

    at_the_desk(chromium, scenario)
