"""From raw intensities to what the network sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from msam.config import ModelConfig

if TYPE_CHECKING:
    from msam.volume import Volume

CT_RANGE = (-1000.0, 1000.0)
AIR = -1000.0

# A deviation this small beside the intensities themselves is the rounding of a constant, not contrast.
ROUNDING = 1e-6


def fill_value(volume: Volume, config: ModelConfig) -> float:
    """The raw intensity of what lies outside a volume: zero as published, air around a CT otherwise."""
    return AIR if config.normalisation == "click" and volume.is_ct else 0.0


def normalise(
    raw: npt.NDArray[np.float32],
    config: ModelConfig,
    reference: float | None = None,
    inside: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float32]:
    """A region of interest as the network wants it.

    "foreground" (as in the published training): minus the mean, over the unbiased deviation, of the voxels above zero.
    Where these give no deviation (none above zero, or all alike) mean and deviation of all voxels are taken.
    "click": minus the intensity of the clicked tissue, over the deviation of the voxels inside the volume.
    A region without any contrast is divided by 1.

    Args:
        raw: (S, S, S) intensities, from `cut`.
        config: says which of the two.
        reference: intensity of the clicked tissue; "click" needs it.
        inside: (S, S, S) which voxels lie in the volume, for "click"; None means all.

    Returns:
        (1, 1, S, S, S) float32.

    Raises:
        ValueError: "click" without a reference.
    """
    if config.normalisation == "click":
        if reference is None:
            raise ValueError("Normalisation relative to the click needs the intensity of the clicked tissue.")
        centre, scale = reference, _deviation(raw if inside is None else raw[inside])
    else:
        foreground = raw[raw > 0]
        if not _deviation(foreground):
            foreground = raw.reshape(-1)
        centre, scale = float(foreground.mean(dtype=np.float64)), _deviation(foreground)
    return np.asarray((raw - np.float32(centre)) / np.float32(scale or 1.0), dtype=np.float32)[None, None]


def _deviation(values: npt.NDArray[Any]) -> float:
    """The unbiased standard deviation; zero for fewer than two values and for values that are all alike."""
    if values.size < 2:
        return 0.0
    deviation = float(values.std(ddof=1, dtype=np.float64))
    return deviation if deviation > ROUNDING * float(np.abs(values).max()) else 0.0
