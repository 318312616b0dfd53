"""That nothing is lost by mistake, and that a row of the panel does what whoever clicks or tabs to it expects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from desk import Desk, at_the_desk
from web_scan import little_scan

from MSAMSegmentWeb.views import place_of

MIDDLE = (30, 25, 20)
# Buttons, inputs and menus that assistive technology would read out without a name, or under the same one.
UNCLEAR = """() => {
  const shown = [...document.querySelectorAll("button, input:not([type=file]), select, summary")]
    .filter((one) => one.getClientRects().length)
    .map((one) => (one.ariaLabel || one.closest("label")?.textContent || one.textContent).trim());
  return shown.filter((name, index) => !name || shown.indexOf(name) !== index);
}"""


def test_a_mask_of_any_segment_is_asked_about_before_another_scan_takes_its_place(
    chromium: str, scan_file: Path
) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        scan = desk.logic.inputVolume
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.press("n")  # the selected segment is empty now; the first one is not
        await desk.until(lambda: desk.state("measures") == [] and len(desk.state("segments")) == 2, "the empty one")

        await desk.page.set_input_files("#files", str(scan_file))
        await desk.page.click(".ask .btn-no")
        await desk.page.click(".btn-open")
        await desk.page.click(".btn-open-sample")
        await desk.page.click(".ask .btn-no")
        await desk.page.wait_for_timeout(500)
        assert desk.logic.inputVolume is scan and len(desk.logic.segmentIds()) == 2
        await desk.page.set_input_files("#files", str(scan_file))
        await desk.page.click(".ask .btn-yes")
        await desk.until(lambda: len(desk.logic.segmentIds()) == 1, "the other scan")

    at_the_desk(chromium, scenario)


def test_a_click_on_a_row_selects_it_and_keys_stay_keys(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.press("n")
        await desk.page.wait_for_selector(".segment:nth-child(2).on")
        first, second = desk.logic.segmentIds()
        box = await desk.page.locator(".segment .name").first.bounding_box()
        assert box is not None
        place = (box["x"] + 20, box["y"] + box["height"] / 2)

        await desk.page.mouse.click(*place)
        await desk.page.wait_for_selector(".segment:nth-child(1).on")
        await desk.press("s")
        await desk.until(lambda: desk.logic.placing is False, "what S does")
        await desk.page.mouse.click(*place)
        await desk.press("End")
        await desk.page.keyboard.type("s")
        await desk.press("Enter")
        segment = desk.logic.segmentation.GetSegmentation().GetSegment
        await desk.until(lambda: segment(first).GetName() == "Lesion 1s", "the new name")

        await desk.page.locator(".segment .name").nth(1).focus()
        await desk.until(lambda: desk.logic.selectedSegment == second, "the selection without a mouse")

    at_the_desk(chromium, scenario)


def test_many_segments_leave_the_tools_and_the_numbers_in_sight(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.page.click(".btn-dismiss-hint")
        for number in range(2, 25):
            await desk.press("n")
            await desk.until(lambda number=number: len(desk.logic.segmentIds()) == number, "a segment")
        await desk.page.wait_for_selector(".segment:nth-child(24).on")
        panel = await desk.page.locator(".panel").bounding_box()
        export = await desk.page.locator(".export").bounding_box()
        assert panel is not None and export is not None

        async def is_in_sight(selector: str) -> bool:
            box = await desk.page.locator(selector).bounding_box()
            return box is not None and panel["y"] <= box["y"] and box["y"] + box["height"] <= export["y"] + 16

        assert await is_in_sight(".btn-positive")
        assert await is_in_sight(".segment.on")
        desk.logic.selectSegment(desk.logic.segmentIds()[0])
        await desk.page.wait_for_selector(".measures dd")
        for selector in (".btn-positive", ".segment.on", ".measures"):
            assert await is_in_sight(selector), selector

    at_the_desk(chromium, scenario)


def test_everything_that_can_be_pressed_has_a_name_of_its_own(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.press("n")
        await desk.page.wait_for_selector(".segment:nth-child(2).on")
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.click("Red", desk.world((33, 25, 20)))
        await desk.idle()
        await desk.page.click(".points summary")
        await desk.page.click(".btn-advanced")
        await desk.page.click(".btn-window")
        assert await desk.page.evaluate(UNCLEAR) == []

    at_the_desk(chromium, scenario)


def test_an_error_goes_away_by_key_and_a_file_is_not_tried_again(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        desk.engine.failNext("internal")
        await desk.click("Red", desk.world(MIDDLE))
        await desk.page.wait_for_selector(".btn-retry")
        await desk.press("Escape")
        await desk.page.wait_for_selector(".error", state="detached")
        assert desk.logic.placing is True  # that takes the key a second time

        await desk.page.route("**/upload", lambda route: route.abort())
        await desk.page.set_input_files("#files", str(scan_file))
        await desk.page.click(".ask .btn-yes")
        await desk.page.wait_for_selector(".error:has-text('did not arrive')")
        assert await desk.page.locator(".btn-retry").count() == 0
        desk.complaints.clear()  # The browser notes the failure itself.

    at_the_desk(chromium, scenario)


def test_after_the_last_segment_is_deleted_the_next_looks_like_the_first(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        renderer = desk.served.views.volume.renderer()

        def is_seen_in_3d() -> bool:
            actors = [actor for actor in renderer.GetActors() if actor.GetVisibility() and actor.GetMapper()]
            return any(actor.GetMapper().GetInput().GetNumberOfCells() > 200 for actor in actors)

        await desk.load(scan_file)
        colour = desk.state("segments")[0]["colour"]
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.until(is_seen_in_3d, "the surface")
        first = desk.logic.selectedSegment
        await desk.page.click(".btn-remove")
        await desk.page.click(".btn-yes")
        await desk.until(lambda: desk.logic.selectedSegment not in (None, first), "an empty segment")
        assert [row["colour"] for row in desk.state("segments")] == [colour]
        await desk.until(lambda: not is_seen_in_3d(), "the end of the surface")
        await desk.page.wait_for_selector(".view-ThreeD .nothing")
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.until(is_seen_in_3d, "the next surface")
        await desk.page.wait_for_selector(".view-ThreeD .nothing", state="detached")

    at_the_desk(chromium, scenario)


@pytest.mark.parametrize(
    ("normal", "offset", "words"),
    [
        ((0, 0, 1), -949.04, "I 949.0 mm"),
        ((0, 1, 0), 57, "A 57.0 mm"),
        ((-1, 0, 0), -108.1, "R 108.1 mm"),  # Slicer's sagittal planes look to the left
        ((-1, 0, 0), 55.7, "L 55.7 mm"),
        ((-0.978, 0.208, 0), -1.73, "−1.7 mm"),
    ],
)
def test_where_a_slice_lies_is_said_by_side_unless_it_is_oblique(
    normal: tuple[float, ...], offset: float, words: str
) -> None:
    assert place_of(normal, offset) == words


def test_where_the_slices_lie_agrees_with_the_list_of_points(chromium: str, tmp_path: Path) -> None:
    straight = little_scan()
    straight.SetDirection(np.eye(3).ravel().tolist())
    sitk.WriteImage(straight, str(tmp_path / "straight.nrrd"))

    async def scenario(desk: Desk) -> None:
        await desk.load(tmp_path / "straight.nrrd")
        desk.logic.addPoint(desk.world((44, 38, 31)))
        await desk.idle()
        sides = desk.state("points")[0]["place"].split()[::2]
        for tag, side in zip(("Yellow", "Green", "Red"), sides, strict=True):
            axis = "RASLPI".index(side) % 3
            words = f"{side} {abs(desk.world((44, 38, 31))[axis]):.1f} mm"
            await desk.page.wait_for_selector(f".view-{tag} .offset:text-is('{words}')")

    at_the_desk(chromium, scenario)
