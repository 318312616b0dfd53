"""How the page behaves beside its work: views, hints, the rest of the world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from desk import Desk, at_the_desk
from web_scan import little_scan

MIDDLE = (30, 25, 20)


def test_window_layout_and_slices(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        display = desk.logic.inputVolume.GetDisplayNode()
        before = display.GetWindow()
        await desk.page.click(".btn-window")
        await desk.page.click(".sheet button:has-text('More contrast')")
        await desk.until(lambda: display.GetWindow() < before, "the narrower window")

        red = desk.served.views.plane("Red")
        before = red.render_window().GetSize()
        await desk.page.click(".btn-layout-axial")
        await desk.until(lambda: red.render_window().GetSize()[0] > 1.2 * before[0], "the large view")
        await desk.page.locator(".view-Red .tools button").click()
        await desk.until(lambda: desk.served.libraries.view_manager.get_current_view_ids() == ["Red"], "one view alone")

        offset = red.get_slice_value()
        await desk.page.locator(".slider-Red").press("ArrowRight")
        await desk.until(lambda: red.get_slice_value() != offset, "the next slice")

    at_the_desk(chromium, scenario)


def test_hints_lead_a_newcomer_and_can_be_switched_off(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.page.locator(".welcome h1").inner_text() == "Open a scan"
        await desk.load(scan_file)
        await desk.page.wait_for_selector(".hint:has-text('Click on the lesion')")
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.page.wait_for_selector(".hint:has-text('correct it')")
        await desk.page.click(".btn-dismiss-hint")
        await desk.page.wait_for_selector(".hint", state="detached")

    at_the_desk(chromium, scenario)


def test_no_request_leaves_for_another_host(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.press("?")
        await desk.page.wait_for_selector(".help")
        others = [url for url in desk.asked if not url.startswith((desk.address, "blob:", "data:"))]
        assert desk.asked and not others
        assert await desk.page.evaluate("document.fonts.size") == 0

    at_the_desk(chromium, scenario)


def test_the_scan_that_is_shown_is_the_scan_that_was_sent(chromium: str, scan_file: Path) -> None:
    import slicer

    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        node = desk.logic.inputVolume
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), sitk.GetArrayFromImage(little_scan()))
        x, y, z = little_scan().TransformContinuousIndexToPhysicalPoint((3.0, 7.0, 11.0))
        np.testing.assert_allclose(desk.world((3, 7, 11)), (-x, -y, z), atol=1e-4)

    at_the_desk(chromium, scenario)
