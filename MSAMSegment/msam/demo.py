"""What a newcomer sees first: one click on a lesion of a real scan, or of a phantom where there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from msam.errors import VolumeError
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


def find_case(*, phantom: bool = False) -> Case:
    """The chest CT of the shared data where it is there, else the lung nodule of the phantom.

    The data are looked for in the folder that the environment variable `MSAM_DATA` names, else in `shared/data` beside
    the project's folder.

    Args:
        phantom: take the phantom in any case.

    Raises:
        VolumeError: `MSAM_DATA` names a folder without the scan, or the scan cannot be read.
    """
    from msam.evaluation.deepest import deepest_voxel

    named = os.environ.get("MSAM_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not phantom and (folder / SCAN).is_file():
        volume = Volume.read(folder / SCAN)
        truth = Volume.read(folder / LABELS).voxels == TUMOUR
        click = deepest_voxel(truth, volume.spacing)
        return Case("a chest CT with a lung tumour (TCIA 4D-Lung, CC BY 3.0)", volume, truth, click)
    if named and not phantom:
        raise VolumeError(f"The folder that MSAM_DATA names has no {SCAN.as_posix()}; correct it or leave it unset.")
    from msam.phantom import thorax_phantom

    volume, labels, lesions = thorax_phantom()
    truth = labels == 1
    click = deepest_voxel(truth, volume.spacing)
    return Case(f"a computed phantom of a chest with a {lesions[0].name}", volume, truth, click)
