"""Masks in files: exactly the geometry of the scan, complete or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from geometries import GEOMETRIES, geometries, ijk_to_ras, rotation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msam.errors import VolumeError
from msam.volume import Volume

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")
SHAPE = (5, 6, 7)


def a_mask(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).random(shape) < 0.4


def a_volume(matrix: np.ndarray) -> Volume:
    return Volume(np.zeros(SHAPE, np.int16), matrix)


def ijk_to_lps(image: sitk.Image) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return matrix


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_mask_has_the_geometry_of_its_scan_file(name: str, ending: str, tmp_path: Path) -> None:
    lps = np.diag([-1, -1, 1, 1]) @ GEOMETRIES[name]
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    scan = sitk.GetImageFromArray(np.zeros(SHAPE, np.int16))
    scan.SetSpacing(spacing.tolist())
    scan.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    scan.SetOrigin(lps[:3, 3].tolist())
    sitk.WriteImage(scan, tmp_path / f"scan{ending}")
    scan = sitk.ReadImage(tmp_path / f"scan{ending}")

    Volume.read(tmp_path / f"scan{ending}").write_mask(a_mask(), tmp_path / f"mask{ending}")

    mask = sitk.ReadImage(tmp_path / f"mask{ending}")
    assert mask.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(sitk.GetArrayFromImage(mask), a_mask())
    tolerance = 1e-6 if ".nii" in ending else 1e-12
    assert np.allclose(mask.GetSpacing(), scan.GetSpacing(), atol=tolerance, rtol=0)
    assert np.allclose(mask.GetOrigin(), scan.GetOrigin(), atol=tolerance, rtol=0)
    assert np.allclose(mask.GetDirection(), scan.GetDirection(), atol=tolerance, rtol=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometries(), st.sampled_from(ENDINGS))
def test_any_geometry_comes_back(tmp_path: Path, matrix: np.ndarray, ending: str) -> None:
    path = tmp_path / f"mask{ending}"
    a_volume(matrix).write_mask(a_mask(), path)
    written = np.diag([-1, -1, 1, 1]) @ ijk_to_lps(sitk.ReadImage(path))
    assert np.allclose(written, matrix, atol=2e-5 if ".nii" in ending else 1e-9)
    assert np.allclose(Volume.read(path).ijk_to_ras, written)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_sheared_axes_are_kept_where_the_format_can(ending: str, tmp_path: Path) -> None:
    sheared = ijk_to_ras(rotation(0.1, 0.2, 0.3) @ np.array([[1, 0, 0.2], [0, 1, 0], [0, 0, 1]]), (1, 2, 3), (4, 5, 6))
    a_volume(sheared).write_mask(a_mask(), tmp_path / f"mask{ending}")
    assert np.allclose(np.diag([-1, -1, 1, 1]) @ ijk_to_lps(sitk.ReadImage(tmp_path / f"mask{ending}")), sheared)


def test_sheared_axes_are_refused_where_the_format_cannot(tmp_path: Path) -> None:
    sheared = ijk_to_ras(np.array([[1, 0, 0.2], [0, 1, 0], [0, 0, 1]]), (1, 2, 3), (4, 5, 6))
    with pytest.raises(VolumeError, match=r"sheared.*nrrd"):
        a_volume(sheared).write_mask(a_mask(), tmp_path / "mask.nii.gz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["mask.png", "mask", "mask.nii.zip", "mask.gz", "mask.mhd"])
def test_an_unknown_ending_is_refused_with_the_known_ones(name: str, tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"\.nii, \.nii\.gz, \.nrrd, \.mha"):
        a_volume(np.eye(4)).write_mask(a_mask(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["MASK.NII.GZ", "a.b.c.nrrd", "mask with spaces.mha", "läsion.nii"])
def test_unusual_names_are_written(name: str, tmp_path: Path) -> None:
    a_volume(np.eye(4)).write_mask(a_mask().astype(np.uint8), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert Volume.read(tmp_path / name).voxels.sum() == a_mask().sum()


def test_a_mask_is_not_written_over_its_scan(tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(a_mask().astype(np.uint8)), path)
    before = path.read_bytes()
    link = tmp_path / "link.nrrd"
    link.symlink_to(path)
    for target in (path, link, tmp_path / "." / "scan.nrrd"):
        with pytest.raises(VolumeError, match="the scan itself"):
            Volume.read(path).write_mask(a_mask(), target)
    assert path.read_bytes() == before


def test_an_older_mask_is_replaced_in_one_go(tmp_path: Path) -> None:
    path = tmp_path / "mask.nii.gz"
    volume = a_volume(np.eye(4))
    volume.write_mask(a_mask(), path)
    volume.write_mask(~a_mask(), path)
    assert np.array_equal(Volume.read(path).voxels, ~a_mask())
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_older_mask_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mask.nrrd"
    volume = a_volume(np.eye(4))
    volume.write_mask(a_mask(), path)
    before = path.read_bytes()

    def half_a_file(_image: sitk.Image, name: str, useCompression: bool) -> None:
        Path(name).write_bytes(before[: len(before) // 2])
        raise RuntimeError("no space left")

    monkeypatch.setattr(sitk, "WriteImage", half_a_file)
    with pytest.raises(VolumeError, match="cannot be written"):
        volume.write_mask(~a_mask(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="folder for the mask, 'results', does not exist"):
        a_volume(np.eye(4)).write_mask(a_mask(), tmp_path / "results" / "mask.nrrd")


@pytest.mark.parametrize(
    ("mask", "words"), [(a_mask((5, 6, 8)), r"\(8, 6, 5\).*\(7, 6, 5\)"), (np.zeros(SHAPE, np.float32), "float32")]
)
def test_a_mask_that_does_not_fit_is_refused_in_words(mask: np.ndarray, words: str, tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=words):
        a_volume(np.eye(4)).write_mask(mask, tmp_path / "mask.nrrd")
