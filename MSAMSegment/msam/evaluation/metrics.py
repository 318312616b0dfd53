"""How well a mask agrees with the truth: overlap, distance of surfaces, and size.

Surface metrics follow the common practice of the field (Maier-Hein et al., Metrics Reloaded, Nature Methods 2024; the
normalised surface distance is by Nikolov et al., arXiv 1809.04430). A surface is made of the voxels of a mask that have
a face in common with a voxel outside; beyond the scan is outside. Distances run between centres of surface voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from msam.evaluation.overlap import dice
from msam.session.boxes import NO_BOX, part, tight_box, union

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]

TOLERANCE_MM = 2.0
# Distances are worked out in float32; one of exactly the tolerance is within it.
ROUNDING_MM = 1e-4


@dataclass(frozen=True)
class Scores:
    """The agreement of one mask with the truth. The names are those of the report.

    Where both masks are empty they agree perfectly: 1, 1, 0, 0. Where only one of them is, there is no overlap: 0, 0,
    the diagonal of the scan as the distance, and 1 as the volume error.

    Attributes:
        dice: twice the common volume over the sum of both, 0 to 1.
        nsd_2mm: normalised surface distance: the share of both surfaces within 2 mm of the other one, 0 to 1.
        hd95_mm: 95 % Hausdorff distance in mm: of each surface, the distance to the other one that 95 % of its voxels
            do not exceed; the larger of both.
        volume_error: absolute difference of both volumes over the true volume.
    """

    dice: float
    nsd_2mm: float
    hd95_mm: float
    volume_error: float


METRICS = tuple(Scores.__dataclass_fields__)


def score(mask: Mask, truth: Mask, spacing: npt.ArrayLike) -> Scores:
    """All metrics of a mask.

    Args:
        mask: (K, J, I), what was segmented.
        truth: (K, J, I), what should have been.
        spacing: (3,), mm along i, j, k; the axes are at right angles to each other.
    """
    steps = np.asarray(spacing, dtype=np.float64)
    segmented, true = np.count_nonzero(mask), np.count_nonzero(truth)
    if not segmented and not true:
        return Scores(1.0, 1.0, 0.0, 0.0)
    if not segmented or not true:
        return Scores(0.0, 0.0, float(np.linalg.norm(steps * mask.shape[::-1])), 1.0)
    one, other = surface_distances(mask, truth, steps)
    near = np.count_nonzero(one <= TOLERANCE_MM + ROUNDING_MM) + np.count_nonzero(other <= TOLERANCE_MM + ROUNDING_MM)
    return Scores(
        dice=dice(mask, truth),
        nsd_2mm=float(near / (len(one) + len(other))),
        hd95_mm=float(max(np.percentile(one, 95), np.percentile(other, 95))),
        volume_error=float(abs(segmented - true) / true),
    )


def surface_distances(mask: Mask, truth: Mask, spacing: npt.ArrayLike) -> tuple[Distances, Distances]:
    """The distances in mm from each surface voxel of one mask to the nearest one of the other, both ways.

    Args:
        mask: (K, J, I), not empty.
        truth: (K, J, I), not empty.
        spacing: (3,), mm along i, j, k.
    """
    box = union(tight_box(mask), tight_box(truth))
    one, other = (surface(part(array, NO_BOX, box)) for array in (mask, truth))
    return _distances(other, spacing)[one], _distances(one, spacing)[other]


def surface(mask: Mask) -> Mask:
    """The voxels of a mask (K, J, I) that have a face in common with a voxel outside, or with the array's border."""
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in range(3):
        for shift in (-1, 1):
            inner &= np.roll(padded, shift, axis)[1:-1, 1:-1, 1:-1]
    return mask & ~inner


def _distances(marked: Mask, spacing: npt.ArrayLike) -> Distances:
    """The exact distance in mm of every voxel to the nearest marked one."""
    image = sitk.GetImageFromArray(marked.astype(np.uint8))
    image.SetSpacing(np.asarray(spacing, dtype=np.float64).tolist())
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    # Negative are marked voxels among marked ones.
    return np.maximum(sitk.GetArrayFromImage(distance).astype(np.float64), 0.0)
