"""The range of intensities that a picture of a scan spreads over its greys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

if TYPE_CHECKING:
    from msam.volume import Volume

# In Hounsfield units. Soft tissue as radiologists set it; lung somewhat above their -1350 to 150, so that what
# borders on the lung is not white on white.
SOFT_TISSUE = (-160.0, 240.0)
LUNG = (-1150.0, 350.0)
# Lung and air lie below this; no soft tissue does.
AIR_BELOW = -400
# Around the point: with more lung than this, or less tissue, a window for soft tissue would leave much of the picture
# black. The air around a body, which can be as much, is no lung.
LUNG_SHARE, LEAST_TISSUE = 0.05, 0.25

PERCENTILES = (1.0, 99.7)
SAMPLES_PER_AXIS = 96


def display_window(volume: Volume, ijk: npt.ArrayLike, radius: float) -> tuple[float, float]:
    """Intensities shown as black and as white.

    CT gets a lung window where there is lung around the point, else one for soft tissue: lung is air that tissue goes
    around, slice by slice, or, in a cut-out of a lung, nearly all there is. Other scans get percentiles of their
    foreground: the voxels above their lowest value.

    Args:
        volume: the scan.
        ijk: the point of interest.
        radius: how far around it counts, in mm along the axes of the scan.
    """
    strides = [-(-length // SAMPLES_PER_AXIS) for length in volume.voxels.shape]
    coarse = volume.voxels[tuple(slice(None, None, stride) for stride in strides)]
    if volume.is_ct:
        spacing = volume.spacing * strides[::-1]
        around = _around(coarse.shape, np.asarray(ijk) / strides[::-1], radius / spacing)
        return LUNG if _shows_lung(coarse, around) else SOFT_TISSUE
    foreground = coarse[coarse > coarse.min()]
    if not foreground.size:
        return float(coarse.min()) - 1, float(coarse.min()) + 1
    low, high = (float(value) for value in np.percentile(foreground, PERCENTILES))
    return low, max(high, low + 1e-6)


def _around(
    shape: tuple[int, ...], ijk: npt.NDArray[np.float64], reach: npt.NDArray[np.float64]
) -> tuple[slice, slice, slice]:
    """The voxels [k, j, i] as far as `reach` (i, j, k) from a position, within a shape (K, J, I)."""
    last = np.array(shape[::-1]) - 1
    low = np.clip(np.rint(ijk - reach), 0, last).astype(int)
    high = np.clip(np.rint(ijk + reach), 0, last).astype(int) + 1
    return slice(low[2], high[2]), slice(low[1], high[1]), slice(low[0], high[0])


def _shows_lung(voxels: npt.NDArray[Any], around: tuple[slice, slice, slice]) -> bool:
    """Whether there is lung among the voxels of a part of a CT."""
    tissue = voxels[around[0]] >= AIR_BELOW
    filled = [
        sitk.GetArrayFromImage(sitk.BinaryFillhole(sitk.GetImageFromArray(each))) for each in tissue.astype(np.uint8)
    ]
    enclosed = (np.stack(filled) > 0) & ~tissue
    here = (slice(None), *around[1:])
    return bool(enclosed[here].mean() > LUNG_SHARE or tissue[here].mean() < LEAST_TISSUE)
