"""Reads scans: a NIfTI, NRRD or MetaImage file here, DICOM series in `msam.io.dicom`."""

from __future__ import annotations

import contextlib
import gzip
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from msam import geometry
from msam.errors import VolumeError
from msam.io import dicom
from msam.io.images import FAILURES, metadata, opened, quiet, to_array, to_ijk_to_ras
from msam.volume import Volume

# No compression that these formats use shrinks a file further; a header that announces more is wrong.
STRONGEST_COMPRESSION = 1100
# Formats that keep voxels in the same file as the header.
ONE_FILE_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")
# What ITK says of NIfTI files whose axes are not orthogonal, and the variable that makes it read them.
REFUSAL_OF_SHEAR, NIFTI_PERMISSION = "orthonormal", "ITK_NIFTI_SFORM_PERMISSIVE"

PORTION = 1 << 22


def read_volume(path: Path, *, series: str | None, frame: int) -> Volume:
    """See `Volume.read`."""
    try:
        return _read(path, series, frame)
    except OSError as error:
        raise VolumeError(f"'{path.name}' cannot be read: {error.strerror or error}.") from error


def _read(path: Path, series: str | None, frame: int) -> Volume:
    if not path.exists():
        raise VolumeError(f"There is no file or folder '{path.name}' at the place given; check the path.")
    with quiet():
        if path.is_dir() or dicom.looks_like_dicom(path):
            volume = dicom.read_series(path, series)
            _refuse_frame(frame, 1, path)
            return volume
        if series is not None:
            raise VolumeError(f"'{path.name}' is no DICOM, so there is no series to choose in it; leave `series` out.")
        return _read_file(path, frame)


def _read_file(path: Path, frame: int) -> Volume:
    try:
        return _read_as_it_is(path, frame)
    except FAILURES as error:
        if REFUSAL_OF_SHEAR not in str(error):
            raise _unreadable(path) from error
    with _sheared_nifti_allowed():
        try:
            return _read_as_it_is(path, frame)
        except FAILURES as error:
            raise _unreadable(path) from error


def _read_as_it_is(path: Path, frame: int) -> Volume:
    reader = opened(path)
    size = tuple(int(length) for length in reader.GetSize())
    _refuse_unusable(path, reader, size)
    frames_inside_voxels = _has_frames_inside_voxels(reader)
    if frames_inside_voxels:
        _refuse_frame(frame, reader.GetNumberOfComponents(), path)
    elif len(size) == 4:
        _refuse_frame(frame, size[3], path)
        reader.SetExtractIndex([0, 0, 0, frame])
        reader.SetExtractSize([*size[:3], 0])
    else:
        _refuse_frame(frame, 1, path)
    matrix = _ijk_to_ras(reader)
    image = reader.Execute()
    if frames_inside_voxels:
        image = sitk.VectorIndexSelectionCast(image, frame)
    return Volume(to_array(image), matrix, source=path)


def _has_frames_inside_voxels(reader: sitk.ImageFileReader) -> bool:
    """Whether the values of a voxel are its course over time, as 3D Slicer writes sequences."""
    return metadata(reader, "NRRD_kinds[pixel]") == "list"


def _ijk_to_ras(reader: sitk.ImageFileReader) -> geometry.Matrix:
    if metadata(reader, "ITK_sform_corrected") != "YES":
        return to_ijk_to_ras(reader.GetOrigin(), reader.GetSpacing(), reader.GetDirection())
    # ITK 5.4 makes the axes orthogonal but loses their direction when they are oblique; the file says it better.
    matrix = np.eye(4)
    matrix[:3] = [[float(value) for value in metadata(reader, f"srow_{axis}").split()] for axis in "xyz"]
    return matrix


@contextlib.contextmanager
def _sheared_nifti_allowed() -> Iterator[None]:
    """Lets ITK read NIfTI files whose axes are not orthogonal, mostly because they were rounded or resampled."""
    before = os.environ.get(NIFTI_PERMISSION)
    os.environ[NIFTI_PERMISSION] = "YES"
    try:
        yield
    finally:
        if before is None:
            del os.environ[NIFTI_PERMISSION]
        else:
            os.environ[NIFTI_PERMISSION] = before


def _refuse_unusable(path: Path, reader: sitk.ImageFileReader, size: tuple[int, ...]) -> None:
    """Whatever the header tells before memory is taken."""
    components = reader.GetNumberOfComponents()
    if len(size) < 3:
        raise VolumeError(
            f"'{path.name}' is a two-dimensional image of {' x '.join(map(str, size))} pixels; "
            "only volumes can be segmented. Load the whole scan."
        )
    if len(size) > 4:
        raise VolumeError(f"'{path.name}' has {len(size)} dimensions; only three, or four with a frame, can be read.")
    if "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelID()):
        raise VolumeError(f"'{path.name}' holds complex numbers; save their magnitude as a volume and segment that.")
    if components > 1 and not _has_frames_inside_voxels(reader):
        raise VolumeError(
            f"'{path.name}' holds colour or vectors, {components} values in each voxel; "
            "only scalar volumes can be segmented. Save one channel of it as a volume."
        )
    announced = math.prod(size) * components
    if path.name.lower().endswith(ONE_FILE_ENDINGS) and announced > STRONGEST_COMPRESSION * path.stat().st_size:
        raise VolumeError(
            f"'{path.name}' announces {announced} voxels, more than a file of its size can hold; "
            "it is damaged or incomplete. Copy or export it again."
        )
    if reader.HasMetaDataKey("vox_offset"):
        _refuse_truncated_nifti(path, reader)


def _refuse_truncated_nifti(path: Path, reader: sitk.ImageFileReader) -> None:
    """ITK fills what is missing at the end of a NIfTI file with zeros and does not tell."""
    rank = int(metadata(reader, "dim[0]"))
    voxels = math.prod(int(metadata(reader, f"dim[{axis}]")) for axis in range(1, rank + 1))
    expected = int(float(metadata(reader, "vox_offset"))) + voxels * int(metadata(reader, "bitpix")) // 8
    data = path if path.suffix.lower() != ".hdr" else path.with_suffix(".img")
    if not data.exists():
        data = data.with_suffix(".img.gz")
    if not _holds(data, expected):
        raise VolumeError(f"'{path.name}' ends before its last voxel; it is incomplete. Copy or export it again.")


def _holds(path: Path, expected: int) -> bool:
    """Whether a file, gzipped or not, has at least so many bytes."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return path.stat().st_size >= expected
        # The last four bytes of a complete file tell its length. Only files in several parts need the long way.
        file.seek(-4, os.SEEK_END)
        if int.from_bytes(file.read(4), "little") == expected % 2**32:
            return True
    length = 0
    try:
        with gzip.open(path) as stream:
            while length < expected and (portion := stream.read(PORTION)):
                length += len(portion)
    except (EOFError, OSError, ValueError):
        return False
    return length >= expected


def _refuse_frame(frame: int, frames: int, path: Path) -> None:
    if not 0 <= frame < frames:
        count = "1 frame" if frames == 1 else f"{frames} frames"
        raise VolumeError(f"There is no frame {frame} in '{path.name}': it has {count}, counted from 0.")


def _unreadable(path: Path) -> VolumeError:
    return VolumeError(
        f"'{path.name}' cannot be read as NIfTI, NRRD, MetaImage or DICOM; "
        "it is damaged, incomplete or in another format. Copy or export it again."
    )
