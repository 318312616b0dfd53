"""Between SimpleITK, which counts in LPS, and arrays [k, j, i] with a matrix in RAS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from msam import geometry

# What SimpleITK raises for a file it cannot read or write, and for one that announces more than the memory holds.
FAILURES = (RuntimeError, MemoryError)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps ITK's warnings off the terminal: what matters of them is said in errors of our own."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def opened(path: Path, image_io: str = "") -> sitk.ImageFileReader:
    """A reader that has read the header of a file.

    Args:
        path: the file.
        image_io: ITK's name of the format, or empty to find it out.

    Raises:
        RuntimeError: it is no image of that format (SimpleITK's own error).
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(image_io)
    reader.ReadImageInformation()
    return reader


def metadata(reader: sitk.ImageFileReader, key: str) -> str:
    """An entry of a header that has been read, without its padding; empty when there is none."""
    return str(reader.GetMetaData(key)).strip() if reader.HasMetaDataKey(key) else ""


def to_array(image: sitk.Image) -> npt.NDArray[Any]:
    """The voxels [k, j, i] of an image."""
    return np.asarray(sitk.GetArrayFromImage(image))


def to_ijk_to_ras(origin: Sequence[float], spacing: Sequence[float], direction: Sequence[float]) -> geometry.Matrix:
    """The matrix (4, 4) in RAS of ITK's geometry of three or more dimensions, of which the first three count."""
    cosines = np.asarray(direction, dtype=np.float64).reshape(len(origin), len(origin))[:3, :3]
    matrix = np.eye(4)
    matrix[:3, :3] = cosines * np.asarray(spacing, dtype=np.float64)[:3]
    matrix[:3, 3] = origin[:3]
    return np.asarray(geometry.RAS_FROM_LPS @ matrix)


def to_image(voxels: npt.NDArray[Any], ijk_to_ras: geometry.Matrix) -> sitk.Image:
    """Voxels [k, j, i] and their matrix in RAS as an image."""
    matrix = geometry.RAS_FROM_LPS @ ijk_to_ras
    spacing = geometry.axis_lengths(matrix)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    return image
