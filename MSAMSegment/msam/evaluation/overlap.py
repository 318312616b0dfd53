"""The overlap of two masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def dice(mask: Mask, truth: Mask) -> float:
    """Overlap of two masks: twice the common voxels over the sum of both, 0 to 1; 1 where both are empty."""
    both = np.count_nonzero(mask) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(mask & truth) / both) if both else 1.0
