"""The range of intensities that a picture of a scan spreads over its greys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from msam.volume import Volume

# In Hounsfield units. Soft tissue as radiologists set it; lung somewhat above their -1350 to 150, so that what
# borders on the lung is not white on white.
SOFT_TISSUE = (-160.0, 240.0)
LUNG = (-1150.0, 350.0)
# Lung and air lie below this; no soft tissue does.
LUNG_BELOW = -400
# With this share of lung around the point, a soft-tissue window would leave much of the picture black.
LUNG_SHARE = 0.2

PERCENTILES = (1.0, 99.7)
SAMPLES_PER_AXIS = 96


def display_window(volume: Volume, ijk: npt.ArrayLike, radius: float) -> tuple[float, float]:
    """Intensities shown as black and as white.

    CT gets a lung window where there is lung around the point, else one for soft tissue. Other scans get percentiles of
    their foreground: the voxels above their lowest value.

    Args:
        volume: the scan.
        ijk: the point of interest.
        radius: how far around it counts, in mm along the axes of the scan.
    """
    if volume.is_ct:
        around = _around(volume, ijk, radius)
        return LUNG if np.mean(around < LUNG_BELOW) > LUNG_SHARE else SOFT_TISSUE
    coarse = volume.voxels[tuple(slice(None, None, -(-length // SAMPLES_PER_AXIS)) for length in volume.voxels.shape)]
    foreground = coarse[coarse > coarse.min()]
    if not foreground.size:
        return float(coarse.min()) - 1, float(coarse.min()) + 1
    low, high = (float(value) for value in np.percentile(foreground, PERCENTILES))
    return low, max(high, low + 1e-6)


def _around(volume: Volume, ijk: npt.ArrayLike, radius: float) -> npt.NDArray[Any]:
    reach = np.ceil(radius / volume.spacing)
    last = np.asarray(volume.shape_ijk) - 1
    low = np.clip(np.rint(ijk) - reach, 0, last).astype(int)
    high = np.clip(np.rint(ijk) + reach, 0, last).astype(int) + 1
    return volume.voxels[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
