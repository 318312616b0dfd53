"""Brings a scan from a file into the scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from msam.errors import VolumeError
from msam.volume import Volume

# Endings that are no part of a scan's name, the longest first.
ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm", ".zip", ".gz")
# Of files that are read by themselves, whatever lies beside them.
HEADERS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr")
# How many of too many scans are named.
NAMED = 3


@dataclass(frozen=True)
class ReadScan:
    """A scan, and how many frames its file has; the first of them is the scan."""

    volume: Volume
    frames: int = 1


def read_scan(path: Path, *, series: str | None = None, most_voxels: int) -> ReadScan:
    """Reads and checks a scan. It takes seconds: to be called from another thread than the page's.

    Raises:
        VolumeError: it cannot be read, is too large for this page, or nothing can be segmented in it.
    """
    frames = _look_at(path, series, most_voxels)
    volume = Volume.read(path, series=series)
    volume.check()
    return ReadScan(volume, frames)


def name_of(file_name: str) -> str:
    """A scan's name for the page: that of its file without the ending."""
    lowered = file_name.lower()
    ending = next((ending for ending in ENDINGS if lowered.endswith(ending)), "")
    return file_name[: len(file_name) - len(ending)] or "Scan"


def main_file(files: list[Path]) -> Path | None:
    """The one file of those sent that holds or heads a scan; None when it has to be looked for as DICOM.

    Raises:
        VolumeError: nothing was sent, or several scans were, or a zip file inside of another.
    """
    if not files:
        raise VolumeError("The zip file is empty; pack the scan again.")
    if any(path.suffix.lower() == ".zip" for path in files):
        raise VolumeError("There is a zip file inside of the zip file; unpack it and send what is in it.")
    headers = sorted(path for path in files if path.name.lower().endswith(HEADERS))
    if len(headers) > 1:
        names = ", ".join(path.name for path in headers[:NAMED]) + (" …" if len(headers) > NAMED else "")
        raise VolumeError(f"These are {len(headers)} scans: {names}. Open one of them at a time.")
    if headers:
        return headers[0]
    return files[0] if len(files) == 1 else None


def add_to_scene(scene: slicer.vtkMRMLScene, volume: Volume, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """A node with the scan's voxels, its own geometry and its modality."""
    image = vtk.vtkImageData()
    image.SetDimensions(volume.shape_ijk)
    image.GetPointData().SetScalars(numpy_to_vtk(_storable(volume.voxels).ravel(), deep=True))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(volume.ijk_to_ras.ravel())
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    # What this page calls a CT has Hounsfield units for all that looks at the node.
    modality = volume.modality or ("CT" if volume.is_ct else None)
    if modality:
        node.SetAttribute("DICOM.Modality", modality)
    node.CreateDefaultDisplayNodes()
    return node


def describe(scan: ReadScan) -> dict[str, Any]:
    """What the page says of a scan beside its name."""
    volume = scan.volume
    size = " × ".join(map(str, volume.shape_ijk))
    spacing = " × ".join(f"{length:.2f}".rstrip("0").rstrip(".") for length in volume.spacing)
    kind = volume.modality or ("CT" if volume.is_ct else "")
    frames = f"Frame 1 of {scan.frames}" if scan.frames > 1 else ""
    return {"size": size, "spacing": spacing, "kind": kind, "frames": frames}


def _storable(voxels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Voxels in a type that VTK has, next to each other in memory."""
    if voxels.dtype == np.float16:
        voxels = voxels.astype(np.float32)
    elif voxels.dtype == np.bool_:
        voxels = voxels.astype(np.uint8)
    return np.ascontiguousarray(voxels, dtype=voxels.dtype.newbyteorder("="))


def _look_at(path: Path, series: str | None, most_voxels: int) -> int:
    """Looks into headers first: small files can announce a scan that no memory holds. Returns the scan's frames."""
    from msam.io.images import FAILURES, opened
    from MSAMSegmentWeb.series import find

    if path.is_dir():
        of_series = [each.voxels for each in find(path) if series in (None, each.identifier)]
        _refuse_more(max(of_series, default=0), most_voxels)
        return 1
    try:
        reader = opened(path)
    except FAILURES:
        return 1  # The reader itself says what is wrong, and better.
    size = reader.GetSize()
    _refuse_more(math.prod(size[:3]), most_voxels)
    return int(math.prod(size[3:]) * reader.GetNumberOfComponents())


def _refuse_more(voxels: int, most_voxels: int) -> None:
    if voxels > most_voxels:
        raise VolumeError(
            f"The scan has {voxels / 1e6:.0f} million voxels, and this page takes up to "
            f"{most_voxels / 1e6:.0f} million. Crop it or resample it first."
        )
