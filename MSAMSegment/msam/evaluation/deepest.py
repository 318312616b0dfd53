"""The voxel of a mask that is farthest from its border: where a careful user would click."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from msam.errors import PromptError
from msam.session.boxes import NO_BOX, part, tight_box

# Depths that differ by no more than this, in mm, are alike: the rounding of float32 must not decide between them.
ALIKE = 1e-4


def deepest_voxel(mask: npt.NDArray[Any], spacing: npt.ArrayLike) -> tuple[int, int, int]:
    """The voxel (i, j, k) of a mask with the largest distance in mm to what is outside of it.

    Distances are exact and run from voxel centre to voxel centre; what lies beyond the scan is outside. Of several
    voxels that are equally deep, the one with the lowest index along k, then j, then i.

    Args:
        mask: (K, J, I), nonzero inside.
        spacing: (3,), mm along i, j, k.

    Raises:
        PromptError: the mask is empty.
    """
    box = tight_box(mask)
    if box == NO_BOX:
        raise PromptError("An empty mask has no deepest voxel.")
    # What lies beyond the mask's box, or the scan, is outside; distances are to that, so it is the object here.
    outside = sitk.GetImageFromArray(np.pad(part(mask, NO_BOX, box) == 0, 1, constant_values=True).astype(np.uint8))
    outside.SetSpacing(np.asarray(spacing, dtype=np.float64).tolist())
    distance = sitk.SignedMaurerDistanceMap(
        outside, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    depth = sitk.GetArrayViewFromImage(distance)
    deepest = depth >= depth.max() - ALIKE
    k, j, i = np.unravel_index(int(deepest.argmax()), depth.shape)
    (i0, _), (j0, _), (k0, _) = box
    return i0 + int(i) - 1, j0 + int(j) - 1, k0 + int(k) - 1
