"""Headers that somebody sent: what they may name, and how long they may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from msam.errors import VolumeError
from MSAMSegmentWeb import headers

NRRD = b"""NRRD0004
type: uchar
dimension: 3
sizes: 10 10 10
space: left-posterior-superior
space directions: (1,0,0) (0,1,0) (0,0,1)
space origin: (0,0,0)
encoding: raw
"""
META = b"""ObjectType = Image
NDims = 3
DimSize = 10 10 10
ElementType = MET_UCHAR
"""
VOXELS = np.arange(1000, dtype=np.uint8).reshape(10, 10, 10)


def secret(tmp_path: Path) -> Path:
    """A file of the serving computer, which nobody sent."""
    path = tmp_path / "secret" / "x.raw"
    path.parent.mkdir()
    path.write_bytes(VOXELS.tobytes())
    return path


def sent(tmp_path: Path, name: str, content: bytes) -> Path:
    """A header in the folder of an upload."""
    folder = tmp_path / "upload"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    "line", [b"data file: %s", b"DataFile: %s", b"content: y\rdata file: %s", b"data file: LIST\n%s", b"data file: x"]
)
@pytest.mark.parametrize("place", ["absolute", "relative"])
def test_a_nrrd_header_leads_to_no_file_that_was_not_sent(tmp_path: Path, line: bytes, place: str) -> None:
    other = str(secret(tmp_path)) if place == "absolute" else "../secret/x.raw"
    path = sent(tmp_path, "scan.nhdr", NRRD + line.replace(b"%s", other.encode()) + b"\n\n")
    with pytest.raises(VolumeError, match="not sent with it"):
        headers.check(path)


@pytest.mark.parametrize("name", ["scan.mhd", "scan.mha"])
@pytest.mark.parametrize("value", ["{other}", "../secret/x.raw", "LIST\n{other}", "LIST 3D\n{other}", "%s 1 1 1", ""])
def test_a_meta_header_leads_to_no_file_that_was_not_sent(tmp_path: Path, name: str, value: str) -> None:
    named = value.format(other=secret(tmp_path)).encode()
    path = sent(tmp_path, name, META + b"ElementDataFile = " + named + b"\n")
    with pytest.raises(VolumeError, match="not sent with it"):
        headers.check(path)


def test_the_readers_would_have_followed(tmp_path: Path) -> None:
    """What the check is there for; without this, the two tests above would prove nothing."""
    other = str(secret(tmp_path)).encode()
    for name, content in (
        ("scan.nhdr", NRRD + b"data file: " + other + b"\n\n"),
        ("cr.nhdr", NRRD + b"content: y\rdata file: " + other + b"\n\n"),
        ("scan.mhd", META + b"ElementDataFile = " + other + b"\n"),
        ("list.mhd", META + b"ElementDataFile = LIST 3D\n" + other + b"\n"),
    ):
        image = sitk.ReadImage(str(sent(tmp_path, name, content)))
        # Nearly all: ITK 5.4 gives the first bytes of a list back before it reads them.
        assert (sitk.GetArrayFromImage(image) == VOXELS).mean() > 0.9, name


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_writers_write_is_let_through(tmp_path: Path, ending: str, compressed: bool) -> None:
    path = tmp_path / f"scan of today{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(path), useCompression=compressed)
    headers.check(path)


def test_a_header_that_keeps_readers_busy_is_refused(tmp_path: Path) -> None:
    long = b"# nothing\n" * (headers.LONGEST // 10 + 1)
    for name, content in (
        ("scan.nrrd", b"NRRD0004\n" + long + NRRD.partition(b"\n")[2] + b"\n" + VOXELS.tobytes()),
        ("scan.mha", META + b"Comment = " + b"x" * headers.LONGEST + b"\nElementDataFile = LOCAL\n"),
    ):
        with pytest.raises(VolumeError, match="too long"):
            headers.check(sent(tmp_path, name, content))


def test_other_formats_are_refused_before_they_are_read(tmp_path: Path) -> None:
    for ending in (".h5", ".vtk", ".tif", ".mnc", ".png"):
        path = tmp_path / f"scan{ending}"
        image = sitk.GetImageFromArray(VOXELS)
        sitk.WriteImage(image[:, :, 0] if ending == ".png" else image, str(path))
        with pytest.raises(VolumeError, match="is no NIfTI"):
            headers.check(path)
