"""What a newcomer sees first: one click on a lesion of a real scan, or of a phantom where there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.errors import PromptError, VolumeError
from msam.volume import Volume

SCAN = Path("lung_ct", "images", "113_HM10395.nii.gz")
LABELS = Path("lung_ct", "labels", "113_HM10395.nii.gz")
TUMOUR = 1

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """A scan with a lesion whose true extent is known.

    Attributes:
        description: the scan and where it comes from, for a sentence.
        volume: the scan.
        truth: (K, J, I), the lesion.
        click: (i, j, k), the voxel of the lesion that is farthest from its border.
    """

    description: str
    volume: Volume
    truth: Mask
    click: tuple[int, int, int]


def find_case() -> Case:
    """The chest CT of the shared data where it is there, else the lung nodule of the phantom.

    The data are looked for in the folder that the environment variable `MSAM_DATA` names, else in `shared/data` beside
    the project's folder.

    Raises:
        VolumeError: `MSAM_DATA` names a folder without the scan, or the scan cannot be read.
    """
    named = os.environ.get("MSAM_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    if (folder / SCAN).is_file():
        volume = Volume.read(folder / SCAN)
        truth = Volume.read(folder / LABELS).voxels == TUMOUR
        return Case(
            "a chest CT with a lung tumour (TCIA 4D-Lung, CC BY 3.0)", volume, truth, deepest_voxel(truth, volume)
        )
    if named:
        raise VolumeError(f"The folder that MSAM_DATA names has no {SCAN.as_posix()}; correct it or leave it unset.")
    from msam.phantom import thorax_phantom

    volume, labels, lesions = thorax_phantom()
    truth = labels == 1
    return Case(f"a computed phantom of a chest with a {lesions[0].name}", volume, truth, deepest_voxel(truth, volume))


def deepest_voxel(mask: npt.NDArray[Any], volume: Volume) -> tuple[int, int, int]:
    """The voxel (i, j, k) of a mask with the largest distance in mm to what is outside of it.

    Raises:
        PromptError: the mask is empty.
    """
    import SimpleITK as sitk

    spans = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not len(spans[0]):
        raise PromptError("An empty mask has no deepest voxel.")
    box = tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    # What lies beyond the mask's box, or the scan, is outside; distances are to that, so it is the object here.
    outside = sitk.GetImageFromArray(np.pad(mask[box] == 0, 1, constant_values=True).astype(np.uint8))
    outside.SetSpacing(volume.spacing.tolist())
    distance = sitk.SignedMaurerDistanceMap(
        outside, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    depth = sitk.GetArrayViewFromImage(distance)
    k, j, i = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(i) - 1 + box[2].start, int(j) - 1 + box[1].start, int(k) - 1 + box[0].start


def dice(mask: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Overlap of two masks: twice the common voxels over the sum of both, 0 to 1; 1 where both are empty."""
    both = np.count_nonzero(mask) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(np.logical_and(mask, truth)) / both) if both else 1.0
