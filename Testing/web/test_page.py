"""What a user does on the page, in a real browser, with a stand-in for the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from desk import Desk, at_the_desk

MIDDLE = (30, 25, 20)
ASIDE = (42, 25, 20)
ALL_PLANES = ("Red", "Green", "Yellow")


@pytest.mark.parametrize("tag", ALL_PLANES)
def test_a_click_in_a_plane_draws_the_mask_around_it(chromium: str, scan_file: Path, tag: str) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click(tag, desk.world(MIDDLE))
        await desk.idle()

        k, j, i = np.nonzero(desk.mask())
        centre = np.array([i.mean(), j.mean(), k.mean()])
        assert np.abs((centre - MIDDLE) * (1, 1, 2)).max() < 1.5  # the pixel of the screen, in mm
        await desk.page.wait_for_selector(".measures dd")
        rows = await desk.page.locator(".measures dd").all_inner_texts()
        assert float(rows[0].split()[0].rstrip("mL")) == pytest.approx(len(k) * 2 / 1000, rel=0.01)

    at_the_desk(chromium, scenario)


def test_the_mask_is_seen_in_3d_and_can_be_hidden_there(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        renderer = desk.served.views.volume.renderer()

        def width_in_3d() -> float:
            bounds = renderer.ComputeVisiblePropBounds()
            return bounds[1] - bounds[0]

        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.until(lambda: 14 < width_in_3d() < 20, "the surface of the ball of 16 mm")
        assert renderer.GetVolumes().GetNumberOfItems() == 0  # Volume rendering takes seconds a frame without a GPU.
        await desk.page.click(".btn-advanced")
        await desk.page.click("label:has-text('Surface in 3D') input")
        await desk.until(lambda: not 14 < width_in_3d() < 20, "the hiding of the surface")

    at_the_desk(chromium, scenario)


def test_points_refinement_undo_and_redo(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        first = desk.mask()

        await desk.press("s")
        await desk.page.wait_for_selector(".btn-negative.on")
        await desk.click("Red", desk.world((34, 25, 20)))
        await desk.idle()
        second = desk.mask()
        assert 0 < second.sum() < first.sum()

        await desk.press("r")
        await desk.until(lambda: desk.mask().sum() > second.sum(), "the refinement")
        await desk.idle()
        while not np.array_equal(desk.mask(), second):
            await desk.page.click(".btn-undo")
            await desk.page.wait_for_timeout(100)
        assert len(desk.logic.points()) == 2
        await desk.press("Control+z")
        await desk.until(lambda: np.array_equal(desk.mask(), first), "the undo")
        assert len(desk.logic.points()) == 1
        await desk.press("Control+Shift+z")
        await desk.until(lambda: np.array_equal(desk.mask(), second), "the redo")
        assert len(desk.logic.points()) == 2

        await desk.page.click(".btn-clear")
        await desk.until(lambda: not desk.mask().any() and not desk.logic.points(), "the clearing")
        await desk.page.click(".btn-undo")
        await desk.until(lambda: np.array_equal(desk.mask(), second), "the undo of the clearing")

    at_the_desk(chromium, scenario)


def test_segments_are_added_named_coloured_hidden_and_deleted(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        first, mask = desk.logic.selectedSegment, desk.mask()

        await desk.page.click(".btn-add-segment")
        await desk.until(lambda: len(desk.logic.segmentIds()) == 2, "the second segment")
        second = desk.logic.selectedSegment
        await desk.click("Red", desk.world(ASIDE))
        await desk.idle()
        assert first != second and desk.mask(second).any()
        np.testing.assert_array_equal(desk.mask(first), mask)

        segment = desk.logic.segmentation.GetSegmentation().GetSegment
        await desk.page.locator(".segment .name").nth(1).fill("Node 7 <b>")
        await desk.press("Enter")
        await desk.until(lambda: segment(second).GetName() == "Node 7 <b>", "the new name")
        await desk.page.locator(".segment .swatch input").nth(1).fill("#336699")
        await desk.until(lambda: segment(second).GetColor() == pytest.approx((0.2, 0.4, 0.6)), "the new colour")
        await desk.press("v")
        display = desk.logic.segmentation.GetDisplayNode()
        await desk.page.locator(".panel h2").first.click()
        await desk.press("v")
        await desk.until(lambda: not display.GetSegmentVisibility(second), "the hiding")

        await desk.page.locator(".segment").first.click(position={"x": 60, "y": 4})
        await desk.until(lambda: desk.logic.selectedSegment == first, "the other segment")
        assert len(desk.logic.points()) == 1
        await desk.page.locator(".segment").nth(1).hover()
        await desk.page.locator(".btn-remove").nth(1).click()
        await desk.page.click(".btn-no")
        assert len(desk.logic.segmentIds()) == 2
        await desk.page.locator(".btn-remove").nth(1).click()
        await desk.page.click(".btn-yes")
        await desk.until(lambda: desk.logic.segmentIds() == [first], "the deletion")

    at_the_desk(chromium, scenario)


def test_a_name_that_is_being_typed_survives_what_happens_meanwhile(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        field = desk.page.locator(".segment .name")
        await field.fill("Half a na")
        desk.engine.delay = 20
        desk.logic.addPoint(desk.world(MIDDLE))
        await desk.idle()
        await desk.page.wait_for_selector(".measures dd")
        await field.press_sequentially("me")
        await desk.press("Enter")
        segment = desk.logic.segmentation.GetSegmentation().GetSegment(desk.logic.selectedSegment)
        await desk.until(lambda: segment.GetName() == "Half a name", "the new name")
        await field.fill("Never mind")
        await desk.press("Escape")
        await desk.page.wait_for_timeout(300)
        assert segment.GetName() == await field.input_value() == "Half a name"

    at_the_desk(chromium, scenario)


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz"])
def test_an_exported_file_has_the_scans_geometry_and_the_masks_voxels(
    chromium: str, scan_file: Path, tmp_path: Path, ending: str
) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.page.wait_for_selector(".btn-export:enabled")
        await desk.page.select_option("#format", ending)
        async with desk.page.expect_download() as waiting:
            await desk.page.click(".btn-export")
        download = await waiting.value
        assert download.suggested_filename == f"Lesion_1{ending}"
        file = tmp_path / f"exported{ending}"
        await download.save_as(file)

        written, source = sitk.ReadImage(str(file)), sitk.ReadImage(str(scan_file))
        assert written.GetSize() == source.GetSize()
        np.testing.assert_allclose(written.GetSpacing(), source.GetSpacing(), atol=1e-5)
        np.testing.assert_allclose(written.GetOrigin(), source.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(written.GetDirection(), source.GetDirection(), atol=1e-5)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(written) != 0, desk.mask())

    at_the_desk(chromium, scenario)


def test_all_segments_are_exported_a_file_each_in_a_zip(chromium: str, scan_file: Path, tmp_path: Path) -> None:
    import zipfile

    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await desk.press("n")
        await desk.until(lambda: len(desk.logic.segmentIds()) == 2, "the second segment")
        await desk.click("Red", desk.world((14, 25, 20)))
        await desk.idle()
        await desk.page.wait_for_selector("#what option[value=each]", state="attached")
        await desk.page.select_option("#what", "each")
        async with desk.page.expect_download() as waiting:
            await desk.page.click(".btn-export")
        file = tmp_path / "all.zip"
        await (await waiting.value).save_as(file)
        assert sorted(zipfile.ZipFile(file).namelist()) == ["Lesion_1.nrrd", "Lesion_2.nrrd"]

    at_the_desk(chromium, scenario)


def test_a_reload_in_the_middle_loses_nothing(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        desk.engine.delay = 100
        await desk.click("Red", desk.world(MIDDLE))
        assert desk.logic.isBusy
        await desk.page.reload()
        await desk.page.wait_for_selector(".scan strong")
        await desk.idle()
        assert desk.mask().any()
        await desk.page.wait_for_selector(".measures dd")
        assert await desk.page.locator(".segment").count() == 1
        desk.engine.delay = 0
        await desk.page.wait_for_timeout(500)
        await desk.click("Red", desk.world(ASIDE))
        await desk.idle()
        assert len(desk.logic.points()) == 2

    at_the_desk(chromium, scenario)


def test_an_engine_that_dies_in_the_middle_is_started_again_and_answers(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        desk.engine.delay = 100
        await desk.click("Red", desk.world(MIDDLE))
        await desk.until(lambda: desk.engine.requests or desk.logic.status.isBusy, "the request")
        desk.engine.crash()
        desk.engine.delay = 0
        await desk.idle()
        assert desk.mask().any()
        assert len(desk.engine.processes) == 2
        await desk.page.wait_for_selector(".dot.ready")

    at_the_desk(chromium, scenario)


def test_cancel_ends_a_step_and_retry_sends_it_again(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        desk.engine.delay = 10_000
        await desk.click("Red", desk.world(MIDDLE))
        await desk.page.click(".btn-cancel")
        await desk.idle()
        assert not desk.mask().any() and len(desk.logic.points()) == 1
        desk.engine.delay = 0
        await desk.click("Red", desk.world((31, 25, 20)))
        await desk.idle()
        assert desk.mask().any()

    at_the_desk(chromium, scenario)


def test_an_error_is_a_plain_message_and_can_be_tried_again(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        desk.engine.failNext("internal")
        await desk.click("Red", desk.world(MIDDLE))
        await desk.page.wait_for_selector(".error p")
        words = await desk.page.locator(".error p").inner_text()
        assert words.endswith(".") and "Traceback" not in words
        await desk.page.click(".btn-retry")
        await desk.until(lambda: desk.mask().any(), "the second try")
        await desk.page.wait_for_selector(".error", state="detached")

    at_the_desk(chromium, scenario)
