"""DICOM series: found, chosen, sorted by position, and refused when they make no even stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import INTERCEPT, PATIENT, write_series
from geometries import rotation

from msam.errors import VolumeError
from msam.io.dicom import KIND_OF_CONTENT
from msam.volume import Volume

AXES, SPACING, ORIGIN = rotation(0.1, -0.2, 0.15), (0.7, 0.9, 2.5), (-20.0, 30.0, -100.0)


def some_slices(count: int = 9) -> np.ndarray:
    return np.random.default_rng(count).integers(-1000, 1000, (count, 12, 10)).astype(np.int16)


def a_series(folder: Path, count: int = 9, **how: Any) -> list[Path]:
    return write_series(folder, some_slices(count), AXES, SPACING, ORIGIN, **how)


def expected_ijk_to_ras(axes: np.ndarray = AXES) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = axes * SPACING
    matrix[:3, 3] = ORIGIN
    return np.diag([-1, -1, 1, 1]) @ matrix


def test_slices_are_sorted_by_position(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    a_series(tmp_path)
    volume = Volume.read(tmp_path)
    assert np.array_equal(volume.voxels, some_slices())
    assert np.allclose(volume.ijk_to_ras, expected_ijk_to_ras(), atol=1e-5)
    assert volume.modality == "CT"
    assert capfd.readouterr() == ("", "")


def test_geometry_and_voxels_are_those_of_simpleitk(tmp_path: Path) -> None:
    a_series(tmp_path)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    image = sitk.ReadImage(names)
    volume = Volume.read(tmp_path)
    assert np.array_equal(volume.voxels, sitk.GetArrayFromImage(image))
    assert np.allclose(volume.spacing, image.GetSpacing(), atol=1e-6)
    corner = image.TransformIndexToPhysicalPoint((9, 11, 8))
    assert np.allclose(volume.to_ijk(corner, "lps"), (9, 11, 8), atol=1e-4)


def test_any_file_of_a_series_stands_for_it(tmp_path: Path) -> None:
    files = a_series(tmp_path)
    a_series(tmp_path, 5, uid="1.2.826.2", prefix="other")
    assert np.array_equal(Volume.read(files[4]).voxels, some_slices())


def test_files_without_their_usual_ending_are_recognised(tmp_path: Path) -> None:
    for number, file in enumerate(a_series(tmp_path)):
        file.rename(tmp_path / f"IM{number:05d}")
    assert np.array_equal(Volume.read(tmp_path).voxels, some_slices())
    assert np.array_equal(Volume.read(tmp_path / "IM00003").voxels, some_slices())


def a_report(a_slice: bytes) -> bytes:
    """The beginning of a file, in DICOM as well, that holds no image."""
    start = a_slice.index(KIND_OF_CONTENT) + len(KIND_OF_CONTENT) + 2
    end = start + int.from_bytes(a_slice[start - 2 : start], "little")
    return a_slice[:start] + b"1.2.840.10008.5.1.4.1.1.88.1".ljust(end - start, b"\0")[: end - start] + a_slice[end:500]


def test_other_files_in_the_folder_do_not_disturb(tmp_path: Path) -> None:
    a_series(tmp_path)
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "folder").mkdir()
    assert np.array_equal(Volume.read(tmp_path).voxels, some_slices())
    (tmp_path / "report.dcm").write_bytes(a_report((tmp_path / "000.dcm").read_bytes()))
    assert np.array_equal(Volume.read(tmp_path).voxels, some_slices())
    with pytest.raises(VolumeError, match="without an image"):
        Volume.read(tmp_path / "report.dcm")


def test_several_series_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    a_series(tmp_path, 5, uid="1.2.826.2", prefix="few", modality="MR")
    a_series(tmp_path, 9, uid="1.2.826.1")
    with pytest.raises(
        VolumeError, match=r"2 DICOM series.*9 slices, CT: 1\.2\.826\.1; 5 slices, MR: 1\.2\.826\.2"
    ) as caught:
        Volume.read(tmp_path)
    assert PATIENT not in str(caught.value)
    for uid, count, modality in (("1.2.826.1", 9, "CT"), ("1.2.826.2", 5, "MR")):
        volume = Volume.read(tmp_path, series=uid)
        assert np.array_equal(volume.voxels, some_slices(count)) and volume.modality == modality
    with pytest.raises(VolumeError, match=r"no DICOM series 9\.9.*holds: 9 slices"):
        Volume.read(tmp_path, series="9.9")


def test_rescaling_is_applied(tmp_path: Path) -> None:
    a_series(tmp_path, slope=lambda k: "2")
    volume = Volume.read(tmp_path)
    assert np.array_equal(volume.voxels, 2 * (some_slices().astype(int) - INTERCEPT) + INTERCEPT)
    assert volume.voxels.dtype.kind == "i"


def test_every_slice_keeps_its_own_fraction_of_rescaling(tmp_path: Path) -> None:
    a_series(tmp_path, modality="PT", slope=lambda k: f".{k}" if k else "1")
    truth = (some_slices().astype(int) - INTERCEPT) * np.array([1, *np.arange(1, 9) / 10])[:, None, None] + INTERCEPT
    assert np.allclose(Volume.read(tmp_path).voxels, truth, atol=1e-3)


def test_slices_of_a_tilted_gantry_lie_where_they_were_scanned(tmp_path: Path) -> None:
    tilted = AXES.copy()
    tilted[:, 2] = 0.25 * AXES[:, 1] + np.sqrt(1 - 0.25**2) * AXES[:, 2]
    write_series(tmp_path, some_slices(), tilted, SPACING, ORIGIN)
    volume = Volume.read(tmp_path)
    assert np.allclose(volume.ijk_to_ras, expected_ijk_to_ras(tilted), atol=1e-5)
    assert np.array_equal(volume.voxels, some_slices())


def test_a_missing_slice_is_refused_with_the_distances(tmp_path: Path) -> None:
    a_series(tmp_path)[4].unlink()
    with pytest.raises(VolumeError, match=r"2\.50 to 5\.00 mm apart"):
        Volume.read(tmp_path)


def test_uneven_slices_are_refused_and_rounded_positions_are_not(tmp_path: Path) -> None:
    a_series(tmp_path / "rounded", place=lambda k: k + 0.01 * (-1) ** k)
    Volume.read(tmp_path / "rounded")
    a_series(tmp_path / "uneven", place=lambda k: k + 0.05 * k**2)
    with pytest.raises(VolumeError, match="unevenly spaced"):
        Volume.read(tmp_path / "uneven")


def test_slices_at_the_same_position_are_refused_in_words(tmp_path: Path) -> None:
    a_series(tmp_path, place=lambda k: k // 2)
    with pytest.raises(VolumeError, match="same position"):
        Volume.read(tmp_path)


def test_slices_of_different_orientation_are_refused_in_words(tmp_path: Path) -> None:
    a_series(tmp_path)
    write_series(tmp_path, some_slices(3), AXES[:, [1, 2, 0]], SPACING, ORIGIN, prefix="turned")
    with pytest.raises(VolumeError, match="differ in size, pixel spacing or orientation"):
        Volume.read(tmp_path)


def test_a_single_slice_is_no_volume(tmp_path: Path) -> None:
    a_series(tmp_path, 1)
    with pytest.raises(VolumeError, match="two-dimensional"):
        Volume.read(tmp_path)


def test_a_series_has_one_frame(tmp_path: Path) -> None:
    a_series(tmp_path)
    with pytest.raises(VolumeError, match="1 frame"):
        Volume.read(tmp_path, frame=1)


def test_a_folder_without_dicom_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(VolumeError, match="no DICOM images"):
        Volume.read(tmp_path)


def test_a_damaged_slice_is_refused_without_a_word_about_the_patient(tmp_path: Path) -> None:
    file = a_series(tmp_path)[3]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(VolumeError) as caught:
        Volume.read(tmp_path)
    assert PATIENT not in str(caught.value)


@pytest.mark.parametrize("length", [0, 60, 400])
@pytest.mark.parametrize("which", [0, -1])
def test_a_slice_cut_off_within_its_header_is_not_left_out_in_silence(tmp_path: Path, which: int, length: int) -> None:
    file = a_series(tmp_path)[which]
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(VolumeError, match=f"damaged or incomplete, 1 in all, such as '{file.name}'"):
        Volume.read(tmp_path)


def test_a_mask_of_a_series_has_its_geometry(tmp_path: Path) -> None:
    a_series(tmp_path / "scan")
    volume = Volume.read(tmp_path / "scan")
    volume.write_mask(volume.voxels > 0, tmp_path / "mask.nrrd")
    mask = Volume.read(tmp_path / "mask.nrrd")
    assert np.allclose(mask.ijk_to_ras, volume.ijk_to_ras) and np.array_equal(mask.voxels, volume.voxels > 0)


def test_a_series_in_one_file_is_read(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(some_slices())
    image.SetSpacing(SPACING)
    image.SetMetaData("0008|0060", "MR")
    sitk.WriteImage(image, tmp_path / "scan.dcm")
    truth = sitk.ReadImage(tmp_path / "scan.dcm")
    volume = Volume.read(tmp_path)
    assert np.array_equal(volume.voxels, some_slices()) and volume.modality == "MR"
    assert np.allclose(volume.spacing, truth.GetSpacing())


def test_colour_is_refused_in_words(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 255, (1, 8, 9, 3)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), tmp_path / "photo.dcm")
    with pytest.raises(VolumeError, match="colour"):
        Volume.read(tmp_path)
