"""What one region knows, as another region sees it. All regions of a volume run along the same axes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from msam.region import Region
from msam.resampling import ROUNDING, averaging, enlargement, expand, linear
from msam.session.answer import Answer, Float32
from msam.volume import Volume

Floats = npt.NDArray[np.float64]


def carried(volume: Volume, answer: Answer, region: Region) -> Float32:
    """Logits of an answer on the low-resolution grid of another region, as its mask prompt.

    They are interpolated at the voxels of that region, then averaged over its cells. Where the answer's region did not
    look they are zero, which is what the first step of all gets everywhere: nothing is known.

    Returns:
        (m, m, m) float32 in the order R, A, S.
    """
    if answer.region == region:
        return answer.logits
    m = len(answer.logits)
    enlarge = enlargement(m, answer.region.size)
    pool = averaging(np.arange(m + 1) * region.size / m - 0.5, 0, region.size).weights

    diagonal = np.repeat(np.arange(region.size)[:, None], 3, axis=1)
    seen = answer.region.to_roi(volume, region.to_ijk(volume, diagonal))

    def along(axis: int) -> Floats:
        positions = seen[:, axis]
        looked = (positions >= -0.5 - ROUNDING) & (positions <= answer.region.size - 0.5 + ROUNDING)
        return np.asarray(pool @ (linear(positions, answer.region.size) * looked[:, None] @ enlarge))

    return expand(answer.logits, (along(0), along(1), along(2)))


def mask_as_logits(occupancy: Float32, largest: float = 6.0) -> Float32:
    """The logits of a given mask: those of the share of each cell that it fills, at most 6 either way.

    Args:
        occupancy: (m, m, m), 0 to 1, from `msam.region.project`.
        largest: size of the logit of a cell that is full, or empty.
    """
    least = 1 / (1 + np.exp(largest))
    share = np.clip(occupancy.astype(np.float64), least, 1 - least)
    return np.asarray(np.log(share / (1 - share)), dtype=np.float32)
