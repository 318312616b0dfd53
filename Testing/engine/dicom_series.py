"""Writes small DICOM series for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

PATIENT = "Doe^Jane"
INTERCEPT = -1024
SLOPE_OF_ONE = b"\x28\x00\x53\x10\x02\x00\x00\x001 "


def write_series(
    folder: Path,
    voxels: np.ndarray,
    axes: np.ndarray,
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    *,
    uid: str = "1.2.826.1",
    modality: str = "CT",
    place: Callable[[int], float] = float,
    slope: Callable[[int], str] = lambda k: "1",
    prefix: str = "",
) -> list[Path]:
    """One file for each slice of `voxels` [k, j, i].

    Args:
        folder: is created.
        voxels: whole numbers.
        axes: (3, 3) LPS directions, in columns; the third is the way from slice to slice.
        spacing: mm along i, j, k.
        origin: of slice 0 in LPS.
        uid: of the series.
        modality: of the series.
        place: where slice k lies, in steps of the spacing.
        slope: rescale slope of slice k, one or two characters, with which the stored `voxels - INTERCEPT` are rescaled.
        prefix: of the names of the files, whose order is not that of the slices.

    Returns:
        The files in the order of the slices.
    """
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    normal = np.cross(axes[:, 0], axes[:, 1])
    files = []
    for k, plane in enumerate(voxels):
        position = np.array(origin) + axes[:, 2] * spacing[2] * place(k)
        image = sitk.GetImageFromArray(plane[None])
        image.SetSpacing((*spacing[:2], 1.0))
        image.SetDirection(np.column_stack([axes[:, 0], axes[:, 1], normal]).ravel().tolist())
        image.SetOrigin(position.tolist())
        for tag, value in {
            "0008|0060": modality,
            "0010|0010": PATIENT,
            "0020|000d": "1.2.826.0",
            "0020|000e": uid,
            "0020|0013": str(len(voxels) - k),
            "0020|0032": "\\".join(f"{value:.9g}" for value in position),
            "0020|0037": "\\".join(f"{value:.9g}" for value in axes[:, :2].T.ravel()),
            "0028|1052": f"{INTERCEPT}",
            "0028|1053": "1",
        }.items():
            image.SetMetaData(tag, value)
        files.append(folder / f"{prefix}{(k * 7919) % 1000:03d}.dcm")
        writer.SetFileName(str(files[-1]))
        writer.Execute(image)
        # SimpleITK would undo the slope in the voxels, and cannot when it is a fraction.
        content = files[-1].read_bytes()
        assert content.count(SLOPE_OF_ONE) == 1
        files[-1].write_bytes(content.replace(SLOPE_OF_ONE, SLOPE_OF_ONE[:-2] + f"{slope(k):<2}".encode()))
    return files
