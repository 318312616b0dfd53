"""Writes masks with exactly the geometry of their scan."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from msam.errors import VolumeError
from msam.io.images import FAILURES, quiet, to_image
from msam.volume import Volume

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")
# Readers of NIfTI make axes orthogonal. Up to this cosine between two axes that moves nothing that counts.
NIFTI_SHEAR = 1e-3


def write_mask(volume: Volume, mask_kji: npt.NDArray[Any], path: Path) -> None:
    """See `Volume.write_mask`."""
    ending = _ending(path)
    _refuse_unfit(volume, mask_kji)
    image = to_image(np.asarray(mask_kji, dtype=np.uint8), volume.ijk_to_ras)
    try:
        if volume.source is not None and path.exists() and path.samefile(volume.source):
            raise VolumeError(f"'{path.name}' is the scan itself; choose another name for the mask.")
        if not path.parent.is_dir():
            raise VolumeError(f"The folder for the mask, '{path.parent.name}', does not exist; create it first.")
        if ending.startswith(".nii") and _shear(volume) > NIFTI_SHEAR:
            raise VolumeError(
                "The axes of the scan are sheared, which NIfTI does not keep; write .nrrd or .mha instead."
            )
        # In a folder of its own the unfinished file can have its true ending, by which SimpleITK knows the format.
        with tempfile.TemporaryDirectory(prefix=".mask-", dir=path.parent) as folder, quiet():
            unfinished = Path(folder) / f"mask{ending}"
            sitk.WriteImage(image, str(unfinished), useCompression=True)
            unfinished.replace(path)
    except (OSError, *FAILURES) as error:
        raise VolumeError(
            f"The mask '{path.name}' cannot be written; check that its folder may be written to and has space."
        ) from error


def _ending(path: Path) -> str:
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if path.name.lower().endswith(ending):
            return ending
    raise VolumeError(f"'{path.name}' has no ending of a known format; masks are written as {', '.join(ENDINGS)}.")


def _refuse_unfit(volume: Volume, mask: npt.NDArray[Any]) -> None:
    if mask.shape != volume.voxels.shape:
        raise VolumeError(
            f"The mask has the lengths {mask.shape[::-1]} along i, j, k but the scan has {volume.shape_ijk}; "
            "a mask needs one voxel for each voxel of its scan."
        )
    if mask.dtype not in (np.bool_, np.uint8):
        raise VolumeError(f"The mask has voxels of the type {mask.dtype}; masks are bool or uint8.")


def _shear(volume: Volume) -> float:
    """The largest cosine between two axes; 0 for orthogonal ones."""
    axes = volume.ijk_to_ras[:3, :3] / volume.spacing
    return float(np.abs(axes.T @ axes - np.eye(3)).max())
