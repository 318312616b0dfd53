"""Scans from files: every format, type and geometry, and what is refused in words."""

from __future__ import annotations

import errno
import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from geometries import GEOMETRIES

from msam.errors import VolumeError
from msam.volume import Volume

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
TYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
SHAPE = (5, 6, 7)


def some_voxels(dtype: str = "i2", shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 120, shape).astype(dtype)


def an_image(voxels: np.ndarray, ijk_to_ras: np.ndarray = GEOMETRIES["oblique"]) -> sitk.Image:
    lps = np.diag([-1, -1, 1, 1]) @ ijk_to_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def write_nrrd(path: Path, voxels: np.ndarray, kinds: str, directions: str, endian: str = "little") -> Path:
    """A NRRD written by hand: `voxels` of a 16-bit type, first axis slowest."""
    header = (
        f"NRRD0005\ntype: short\ndimension: {voxels.ndim}\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, voxels.shape[::-1]))}\nspace directions: {directions}\nkinds: {kinds}\n"
        f"endian: {endian}\nencoding: raw\nspace origin: (1,2,3)\n\n"
    )
    path.write_bytes(header.encode() + voxels.tobytes())
    return path


def write_nifti(path: Path, voxels: np.ndarray, ijk_to_ras: np.ndarray) -> Path:
    """A NIfTI written by hand with an sform only, as nibabel writes it: its axes need not be orthogonal."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<4f", header, 76, 1.0, *np.linalg.norm(ijk_to_ras[:3, :3], axis=0))
    struct.pack_into("<ff", header, 108, 352.0, 1.0)
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, *ijk_to_ras[:3].ravel())
    header[123], header[344:348] = 10, b"n+1\0"
    path.write_bytes(bytes(header) + voxels.astype("<i2").tobytes())
    return path


# --- what can be read ---


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_format_keeps_voxels_and_geometry(
    name: str, ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sitk.WriteImage(an_image(some_voxels(), GEOMETRIES[name]), tmp_path / f"scan{ending}")
    volume = Volume.read(tmp_path / f"scan{ending}")
    assert np.array_equal(volume.voxels, some_voxels()) and volume.voxels.dtype == np.int16
    assert np.allclose(volume.ijk_to_ras, GEOMETRIES[name], atol=1e-5 if ".nii" in ending else 1e-12)
    assert volume.modality is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_is_kept(dtype: str, ending: str, tmp_path: Path) -> None:
    sitk.WriteImage(an_image(some_voxels(dtype)), tmp_path / f"scan{ending}")
    volume = Volume.read(str(tmp_path / f"scan{ending}"))
    assert volume.voxels.dtype == np.dtype(dtype) and np.array_equal(volume.voxels, some_voxels(dtype))


def test_big_endian_voxels_are_read(tmp_path: Path) -> None:
    path = write_nrrd(tmp_path / "a.nrrd", some_voxels(">i2"), "domain domain domain", "(1,0,0) (0,1,0) (0,0,2)", "big")
    assert np.array_equal(Volume.read(path).voxels, some_voxels())


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_frame_of_a_four_dimensional_file_is_read(ending: str, tmp_path: Path) -> None:
    frames = [an_image(some_voxels() + 10 * frame) for frame in range(3)]
    sitk.WriteImage(sitk.JoinSeries(frames), tmp_path / f"scan{ending}")
    for frame in range(3):
        volume = Volume.read(tmp_path / f"scan{ending}", frame=frame)
        assert np.array_equal(volume.voxels, some_voxels() + 10 * frame)
        assert np.allclose(volume.ijk_to_ras, GEOMETRIES["oblique"], atol=1e-5)
    for missing in (3, -1):
        with pytest.raises(VolumeError, match=f"no frame {missing} .* 3 frames"):
            Volume.read(tmp_path / f"scan{ending}", frame=missing)


def test_a_frame_of_a_slicer_sequence_is_read(tmp_path: Path) -> None:
    frames = some_voxels(shape=(*SHAPE, 4))
    path = write_nrrd(tmp_path / "a.seq.nrrd", frames, "list domain domain domain", "none (1,0,0) (0,1,0) (0,0,2)")
    assert np.array_equal(Volume.read(path, frame=2).voxels, frames[..., 2])
    with pytest.raises(VolumeError, match="4 frames"):
        Volume.read(path, frame=4)


def test_a_plain_volume_has_one_frame(tmp_path: Path) -> None:
    sitk.WriteImage(an_image(some_voxels()), tmp_path / "scan.nrrd")
    with pytest.raises(VolumeError, match=r"no frame 1 .* 1 frame,"):
        Volume.read(tmp_path / "scan.nrrd", frame=1)


@pytest.mark.parametrize("shear", [1e-5, 1e-4, 1e-3, 3e-2, 0.5])
@pytest.mark.parametrize("name", ["lps", "oblique"])
def test_a_nifti_whose_axes_are_not_orthogonal_is_read_as_it_says(
    name: str, shear: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    matrix = GEOMETRIES[name].copy()
    matrix[:3, 2] += shear * matrix[:3, 1]
    volume = Volume.read(write_nifti(tmp_path / "scan.nii", some_voxels(), matrix))
    assert np.allclose(volume.ijk_to_ras, matrix, atol=1e-4)
    assert np.array_equal(volume.voxels, some_voxels())
    assert capfd.readouterr() == ("", "")
    assert "ITK_NIFTI_SFORM_PERMISSIVE" not in os.environ


def test_a_nifti_in_several_gzip_parts_is_read(tmp_path: Path) -> None:
    whole = write_nifti(tmp_path / "scan.nii", some_voxels(), GEOMETRIES["lps"]).read_bytes()
    (tmp_path / "parts.nii.gz").write_bytes(
        gzip.compress(whole[:500]) + gzip.compress(whole[500:]) + gzip.compress(b"")
    )
    assert np.array_equal(Volume.read(tmp_path / "parts.nii.gz").voxels, some_voxels())


# --- what is refused ---


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"no file or folder 'nothing\.nrrd'"):
        Volume.read(tmp_path / "nothing.nrrd")


@pytest.mark.parametrize("in_folder", [False, True])
def test_a_scan_that_may_not_be_read_is_refused_in_words(
    in_folder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "scan.nrrd").write_bytes(b"")
    # Where the folder may not be entered, nothing can be told of the file; else it is opening it that fails.
    monkeypatch.setattr(Path, "exists" if in_folder else "open", refused)
    with pytest.raises(VolumeError, match=r"'scan\.nrrd' cannot be read: Permission denied\."):
        Volume.read(tmp_path / "scan.nrrd")


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.nrrd", "scan.mha", "scan.txt", "scan.dcm", "scan"])
@pytest.mark.parametrize("content", [b"", b"no scan at all" * 50])
def test_what_is_no_scan_is_refused_in_words(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VolumeError, match=f"'{name}'"):
        Volume.read(tmp_path / name)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_an_incomplete_file_is_refused(ending: str, share: float, compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / f"scan{ending}"
    sitk.WriteImage(an_image(some_voxels(shape=(20, 20, 20))), path, compressed)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(VolumeError, match="incomplete"):
        Volume.read(path)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_a_header_that_announces_more_than_the_file_holds_is_refused_before_memory_is_taken(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"scan{ending}"
    sitk.WriteImage(an_image(some_voxels()), path, True)
    content = path.read_bytes().replace(b"7 6 5\n", b"70000 60000 50000\n")
    path.write_bytes(content)
    with pytest.raises(VolumeError, match="announces 210000000000000 voxels"):
        Volume.read(path)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_colour_is_refused_in_words(ending: str, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(some_voxels("u1", (*SHAPE, 3)), isVector=True), tmp_path / f"scan{ending}")
    with pytest.raises(VolumeError, match="3 values in each voxel"):
        Volume.read(tmp_path / f"scan{ending}")


def test_a_flat_image_is_refused_in_words(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(some_voxels("u1", (8, 9))), tmp_path / "photo.png")
    sitk.WriteImage(sitk.GetImageFromArray(some_voxels(shape=(1, 8, 9))), tmp_path / "slice.nrrd")
    for name in ("photo.png", "slice.nrrd"):
        with pytest.raises(VolumeError, match="two-dimensional"):
            Volume.read(tmp_path / name)


def test_complex_voxels_are_refused_in_words(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(some_voxels("c8")), tmp_path / "scan.nii")
    with pytest.raises(VolumeError, match="complex"):
        Volume.read(tmp_path / "scan.nii")


def test_a_series_is_chosen_in_dicom_only(tmp_path: Path) -> None:
    sitk.WriteImage(an_image(some_voxels()), tmp_path / "scan.nrrd")
    with pytest.raises(VolumeError, match="no DICOM"):
        Volume.read(tmp_path / "scan.nrrd", series="1.2.3")


def test_reading_leaves_simpleitks_warnings_as_they_were(tmp_path: Path) -> None:
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    with pytest.raises(VolumeError):
        Volume.read(tmp_path)
    assert sitk.ProcessObject.GetGlobalWarningDisplay() == before
