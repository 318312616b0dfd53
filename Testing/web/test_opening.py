"""Scans on their way to the page: every format, by button and by drop, and what is refused."""

from __future__ import annotations

import base64
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from desk import Desk, at_the_desk
from web_scan import little_scan

from MSAMSegmentWeb.options import Options, UploadLimits

DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name));
  for (const type of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def uploads() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("msam-upload-*"))


def shown(desk: Desk) -> np.ndarray:
    return slicer.util.arrayFromVolume(desk.logic.inputVolume)


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii"])
def test_files_of_every_format_are_opened_and_deleted(chromium: str, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"scan of ü{ending}"
    sitk.WriteImage(little_scan(), str(file))
    before = uploads()

    async def scenario(desk: Desk) -> None:
        await desk.load(file)
        np.testing.assert_array_equal(shown(desk), sitk.GetArrayFromImage(little_scan()))
        await desk.until(lambda: uploads() == before, "the deletion of the upload")

    at_the_desk(chromium, scenario)


def test_a_header_and_its_data_file_are_opened_together(chromium: str, tmp_path: Path) -> None:
    sitk.WriteImage(little_scan(), str(tmp_path / "two.mhd"))

    async def scenario(desk: Desk) -> None:
        await desk.load(tmp_path / "two.mhd", tmp_path / "two.raw")
        np.testing.assert_array_equal(shown(desk), sitk.GetArrayFromImage(little_scan()))

    at_the_desk(chromium, scenario)


def test_a_dicom_series_is_opened_in_the_order_of_its_slices(chromium: str, dicom_folder: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.page.set_input_files("#folder", str(dicom_folder))
        await desk.page.wait_for_selector(".scan strong")
        written, origin = sitk.GetArrayFromImage(little_scan()), little_scan().GetOrigin()
        # Which end of the stack is slice 0 is the reader's choice; where a voxel lies is not.
        first = desk.world((0, 0, 0))
        is_forwards = np.allclose(first, (-origin[0], -origin[1], origin[2]), atol=1e-3)
        np.testing.assert_array_equal(shown(desk), written if is_forwards else written[::-1])
        assert await desk.page.locator(".scan span").first.inner_text() == "CT"

    at_the_desk(chromium, scenario)


def test_a_zip_of_a_series_is_opened(chromium: str, dicom_zip: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(dicom_zip)
        assert shown(desk).shape == (40, 50, 60)

    at_the_desk(chromium, scenario)


def test_of_several_series_the_user_chooses_one(chromium: str, dicom_folder: Path) -> None:
    from dicom_series import write_series

    before = uploads()
    few = np.full((5, 8, 9), 7, np.int16)
    write_series(dicom_folder, few, np.eye(3), (1, 1, 3), (0, 0, 0), uid="1.2.3", prefix="other")
    (dicom_folder / "otherX.txt").write_text("notes")

    async def scenario(desk: Desk) -> None:
        await desk.page.set_input_files("#folder", str(dicom_folder))
        await desk.page.wait_for_selector(".series")
        titles = await desk.page.locator(".series button").all_inner_texts()
        assert titles == ["CT, 40 slices", "CT, 5 slices", "Cancel"]
        await desk.page.locator(".series button").first.click()
        await desk.page.wait_for_selector(".scan strong")
        assert shown(desk).shape == (40, 50, 60)
        await desk.until(lambda: uploads() == before, "the deletion of the upload")

    at_the_desk(chromium, scenario)


def test_a_dropped_file_is_opened(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        content = base64.b64encode(scan_file.read_bytes()).decode()
        await desk.page.evaluate(DROP, ["dropped.nii.gz", content])
        await desk.page.wait_for_selector(".scan strong:has-text('dropped')")
        assert shown(desk).shape == (40, 50, 60)

    at_the_desk(chromium, scenario)


def test_a_second_scan_asks_first_and_replaces_the_first(chromium: str, scan_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.nrrd"
    sitk.WriteImage(little_scan()[:30, :, :], str(other))

    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        await desk.click("Red", desk.world((30, 25, 20)))
        await desk.idle()
        await desk.page.wait_for_selector(".measures dd")
        await desk.page.set_input_files("#files", str(other))
        await desk.page.wait_for_selector(".ask")
        await desk.page.click(".btn-yes")
        await desk.page.wait_for_selector(".scan strong:has-text('other')")
        assert shown(desk).shape == (40, 50, 30)
        scene = desk.logic.scene
        assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
        assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
        assert not desk.logic.points() and not desk.mask().any()
        assert await desk.page.locator(".measures").count() == 0

    at_the_desk(chromium, scenario)


def refused(folder: Path) -> dict[Path, str]:
    """Files that are no scans, and a word of what is said of each."""
    kinds = {
        name: folder / name for name in ("broken.nii.gz", "flat.nrrd", "empty.zip", "two.zip", "zip.zip", "text.zip")
    }
    kinds["broken.nii.gz"].write_bytes(b"no scan at all")
    sitk.WriteImage(sitk.Image(20, 20, sitk.sitkInt16), str(kinds["flat.nrrd"]))
    entries = {
        "empty.zip": (),
        "two.zip": ("a.nrrd", "b.nrrd"),
        "zip.zip": ("inner.zip",),
        "text.zip": ("1.txt", "2.txt"),
    }
    for name, inner in entries.items():
        with zipfile.ZipFile(kinds[name], "w") as archive:
            for each in inner:
                archive.writestr(each, b"x")
    outside = folder / "outside.nhdr"
    outside.write_bytes(b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 9 9 9\nencoding: raw\ndata file: /etc/passwd\n\n")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((9, 9, 9, 3), np.uint8), isVector=True), str(folder / "rgb.nrrd"))
    words = (
        "cannot be read",
        "two-dimensional",
        "zip file is empty",
        "These are 2 scans",
        "inside of the zip file",
        "None of",
    )
    return {**dict(zip(kinds.values(), words, strict=True)), outside: "not sent with it", folder / "rgb.nrrd": "colour"}


def test_what_is_no_scan_is_refused_in_words(chromium: str, tmp_path: Path) -> None:
    before = uploads()

    async def scenario(desk: Desk) -> None:
        for file, word in refused(tmp_path).items():
            await desk.page.set_input_files("#files", str(file))
            await desk.page.wait_for_selector(f".error:has-text('{word}')")
            assert "msam-upload" not in await desk.page.locator(".error").inner_text()
            await desk.page.click(".btn-dismiss")
            await desk.page.wait_for_selector(".error", state="detached")
        assert desk.logic.inputVolume is None
        await desk.until(lambda: uploads() == before, "the deletion of the uploads")

    at_the_desk(chromium, scenario)


def test_of_several_frames_the_first_is_opened_and_said_to_be(chromium: str, tmp_path: Path) -> None:
    frames = [sitk.Add(little_scan(), number) for number in range(3)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(tmp_path / "course.nii.gz"))

    async def scenario(desk: Desk) -> None:
        await desk.load(tmp_path / "course.nii.gz")
        np.testing.assert_array_equal(shown(desk), sitk.GetArrayFromImage(little_scan()))
        assert await desk.page.locator(".scan .frames").inner_text() == "Frame 1 of 3"

    # So many voxels has one frame.
    at_the_desk(chromium, scenario, Options(limits=UploadLimits(voxels=60 * 50 * 40)))


def test_a_scan_keeps_the_name_that_it_was_sent_with(chromium: str, tmp_path: Path) -> None:
    names = ("<img src=x onerror=alert(1)> {{ 7 * 7 }} “Müller”", "a name of two hundred letters " * 7)

    async def scenario(desk: Desk) -> None:
        for name in names:
            file = tmp_path / f"{name}.nrrd"
            sitk.WriteImage(little_scan(), str(file))
            await desk.page.set_input_files("#files", str(file))
            await desk.until(lambda name=name: (desk.state("scan") or {}).get("name") == name, "the opening")
            await desk.page.wait_for_function(
                "name => document.querySelector('.scan strong')?.textContent === name", arg=name
            )
            assert await desk.page.locator(".scan img").count() == 0

    at_the_desk(chromium, scenario)


@pytest.mark.parametrize("place", [".welcome", ".panel", ".topbar"])
def test_a_folder_can_be_dropped_anywhere(chromium: str, dicom_folder: Path, place: str) -> None:
    async def scenario(desk: Desk) -> None:
        box = await desk.page.locator(place).bounding_box()
        assert box is not None
        browser = await desk.page.context.new_cdp_session(desk.page)
        data = {"items": [], "files": [str(dicom_folder)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
            await browser.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})
            if kind == "dragOver":
                await desk.page.wait_for_selector("#drop:has-text('Drop the scan')")
        await desk.page.wait_for_selector(".scan strong")
        assert shown(desk).shape == (40, 50, 60)
        assert await desk.page.locator("#drop").is_hidden()

    at_the_desk(chromium, scenario)


def test_what_is_too_large_is_refused_and_deleted(chromium: str, scan_file: Path) -> None:
    before = uploads()

    async def scenario(desk: Desk) -> None:
        await desk.page.set_input_files("#files", str(scan_file))
        await desk.page.wait_for_selector(".error:has-text('GiB')")
        assert desk.logic.inputVolume is None
        assert uploads() == before
        desk.complaints.clear()  # The browser notes the refusal (413) itself.

    at_the_desk(chromium, scenario, Options(limits=UploadLimits(total_bytes=2000)))


def test_a_scan_with_too_many_voxels_is_refused_before_it_is_read(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.page.set_input_files("#files", str(scan_file))
        await desk.page.wait_for_selector(".error:has-text('million')")
        assert desk.logic.inputVolume is None

    at_the_desk(chromium, scenario, Options(limits=UploadLimits(voxels=1000)))
