"""The simulated user: where the first click goes, and where the next one corrects a mask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from msam.clicks import Click
from msam.evaluation.deepest import deepest_voxel
from msam.session.boxes import NO_BOX, part, tight_box

Mask = npt.NDArray[np.bool_]


def first_click(truth: Mask, spacing: npt.ArrayLike) -> Click:
    """The deepest point of an object.

    Args:
        truth: (K, J, I), the object.
        spacing: (3,), mm along i, j, k.

    Raises:
        PromptError: the object is empty.
    """
    return Click(deepest_voxel(truth, spacing))


def next_click(mask: Mask, truth: Mask, spacing: npt.ArrayLike) -> Click | None:
    """The deepest point of the largest error region, or None where there is no error.

    An error region is a connected set of voxels (26 neighbours) that were all missed, or all left over; the click is
    positive in the one, negative in the other. Of several regions of the same volume, a missed one goes first, then
    the one with the lowest voxel.

    Args:
        mask: (K, J, I), what was segmented.
        truth: (K, J, I), what should have been.
        spacing: (3,), mm along i, j, k.
    """
    box = tight_box(mask != truth)
    if box == NO_BOX:
        return None
    mask, truth = part(mask, NO_BOX, box), part(truth, NO_BOX, box)
    missed, left_over = _largest_part(truth & ~mask), _largest_part(mask & ~truth)
    positive = bool(np.count_nonzero(missed) >= np.count_nonzero(left_over))
    i, j, k = deepest_voxel(missed if positive else left_over, spacing)
    (i0, _), (j0, _), (k0, _) = box
    return Click((i0 + i, j0 + j, k0 + k), positive)


def _largest_part(mask: Mask) -> Mask:
    """The largest connected part of a mask; of several as large as that, the one with the lowest voxel."""
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    among_largest = (sizes == sizes.max())[parts] & mask
    largest = parts[np.unravel_index(int(among_largest.argmax()), parts.shape)]
    return np.asarray((parts == largest) & mask)
