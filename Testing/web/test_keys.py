"""The keyboard: every key of the list, and dialogs and menus without a mouse."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desk import Desk, at_the_desk

from MSAMSegmentWeb.shortcuts import SHORTCUTS

MIDDLE = (30, 25, 20)


def test_every_key_does_what_the_list_says(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        tried: set[str] = set()

        async def press(key: str, isSo: Callable[[], Any]) -> None:
            tried.add(key.lower().replace("control", "ctrl"))
            await desk.press(key)
            await desk.until(isSo, f"what {key} does")

        await desk.load(scan_file)
        logic, views = desk.logic, desk.served.views
        await press("Escape", lambda: logic.placing is None)
        await press("s", lambda: logic.placing is False)
        await press("a", lambda: logic.placing is True)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await press("r", lambda: logic.undoDescription.lower().startswith("refine"))
        await desk.idle()
        before = desk.mask().sum()
        await press("Control+z", lambda: logic.canRedo)
        await press("Control+y", lambda: desk.mask().sum() == before)
        await press("Control+z", lambda: logic.canRedo)
        await press("Control+Shift+z", lambda: desk.mask().sum() == before)
        display = logic.segmentation.GetDisplayNode()
        segment = logic.selectedSegment
        await press("v", lambda: not display.GetSegmentVisibility(segment))
        await press("n", lambda: len(logic.segmentIds()) == 2)
        await desk.point_at("Green", desk.world(MIDDLE))
        offsets = {tag: views.plane(tag).get_slice_value() for tag in ("Red", "Green", "Yellow")}

        def has_moved(slices: int) -> bool:
            """Whether the plane under the mouse, and it alone, is so many slices further."""
            expected = offsets | {"Green": offsets["Green"] + slices * views.plane("Green").get_slice_step()}
            return all(abs(views.plane(tag).get_slice_value() - offset) < 0.01 for tag, offset in expected.items())

        for key, slices in (("ArrowUp", 1), ("ArrowRight", 2), ("ArrowDown", 1), ("ArrowLeft", 0)):
            await press(key, functools.partial(has_moved, slices))
        await press("l", lambda: desk.state("layout") == "axial")
        await press("w", lambda: desk.state("preset") != "auto")
        node = views.plane("Red").get_view_node()
        whole = node.GetFieldOfView()[0]
        node.SetFieldOfView(*(length / 2 for length in node.GetFieldOfView()[:2]), node.GetFieldOfView()[2])
        await press("f", lambda: abs(node.GetFieldOfView()[0] / whole - 1) < 0.5)
        tried.add("?")
        await desk.press("?")
        await desk.page.wait_for_selector(".help")
        await desk.press("n")  # While a dialog is open, keys do nothing to what lies behind it.
        await desk.press("?")
        await desk.page.wait_for_selector(".help", state="detached")
        assert len(logic.segmentIds()) == 2
        assert tried == {key for shortcut in SHORTCUTS for key in shortcut.keys}

    at_the_desk(chromium, scenario)


def test_a_dialog_takes_the_focus_keeps_it_and_gives_it_back(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        async def focus() -> str:
            return str(await desk.page.evaluate("document.activeElement.className"))

        await desk.load(scan_file)
        await desk.page.locator(".btn-help").focus()
        await desk.press("Enter")
        await desk.page.wait_for_selector(".help .first:focus")
        await desk.press("Escape")
        await desk.page.wait_for_selector(".help", state="detached")
        assert "btn-help" in await focus()

        await desk.page.locator(".btn-remove").focus()
        await desk.press("Enter")
        await desk.page.wait_for_selector(".btn-no:focus")
        for stop in ("btn-yes", "btn-no", "btn-yes"):
            await desk.press("Tab")
            assert stop in await focus()
        await desk.press("Shift+Tab")
        assert "btn-no" in await focus()
        await desk.press("Escape")
        await desk.page.wait_for_selector(".ask", state="detached")
        assert len(desk.logic.segmentIds()) == 1 and "btn-remove" in await focus()

    at_the_desk(chromium, scenario)


def test_series_can_be_turned_away_by_key(chromium: str, dicom_folder: Path) -> None:
    import numpy as np
    from dicom_series import write_series

    write_series(
        dicom_folder, np.full((5, 8, 9), 7, np.int16), np.eye(3), (1, 1, 3), (0, 0, 0), uid="1.2.3", prefix="b"
    )

    async def scenario(desk: Desk) -> None:
        await desk.page.set_input_files("#folder", str(dicom_folder))
        await desk.page.wait_for_selector(".series .first:focus")
        await desk.press("Escape")
        await desk.page.wait_for_selector(".series", state="detached")
        assert desk.logic.inputVolume is None

    at_the_desk(chromium, scenario)


def test_a_click_that_closes_a_menu_places_no_point(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.page.click(".btn-window")
        await desk.page.wait_for_selector(".menu[open]")
        await desk.point_at("Red", desk.world(MIDDLE))
        await desk.page.mouse.down()
        await desk.page.mouse.up()
        await desk.page.wait_for_selector(".menu[open]", state="detached")
        await desk.page.wait_for_timeout(500)
        assert not desk.logic.points()
        await desk.page.click(".btn-window")
        await desk.press("Escape")
        await desk.page.wait_for_selector(".menu[open]", state="detached")
        assert desk.logic.placing is True
        await desk.click("Red", desk.world(MIDDLE))

    at_the_desk(chromium, scenario)
