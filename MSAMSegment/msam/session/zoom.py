"""Where to look and how closely: every rule that places a region of interest, each one a small function.

To tune the choice of the zoom, change `choose` (which of several answers is taken), `always_offered` (how many are
asked for at the first click), `trusted` (which windows of a large object count), and the constants below.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from msam.config import ModelConfig
from msam.region import Region
from msam.resampling import ROUNDING
from msam.session.answer import Answer, Float32
from msam.volume import Volume

Spacing = float | None
Floats = npt.NDArray[np.float64]

# Qualities that differ by less than this are alike; the finer region is taken then.
ALIKE = 0.01
# A refinement counts as better from this gain in predicted quality on: less is within what the prediction is off by,
# and made masks worse on average (model card).
GAIN = 0.06
# The quality of a mask of which the model has said nothing: below every prediction.
UNJUDGED = float("-inf")
# A point is well inside a region when this share of the region's width lies between it and each side.
MARGIN = 1 / 16
# A window of a large object counts when it keeps at least this share of what was known before as the object.
KEPT_SHARE = 0.5


def ladder(volume: Volume, config: ModelConfig) -> tuple[Spacing, ...]:
    """The spacings a region can have, fine to coarse; None stands for the volume's own.

    First those of the configuration (or the volume's own), then twice as coarse again and again, until a region covers
    the volume wherever in it the region is centred.
    """
    rungs: list[Spacing] = list(config.spacings) or [None]
    step = config.spacings[-1] if config.spacings else float(volume.spacing.min())
    longest = float((volume.spacing * volume.shape_ijk).max())
    # A region of an even size reaches one voxel less far on one side of its centre than on the other.
    while (config.roi_size - 1) * step < 2 * longest:
        step *= 2
        rungs.append(step)
    return tuple(rungs)


def first_regions(volume: Volume, config: ModelConfig, click: npt.ArrayLike) -> list[Region]:
    """The regions around a first click, fine to coarse; none is coarser than what covers the whole volume."""
    regions = []
    for spacing in ladder(volume, config):
        region = Region.around(click, config.roi_size, spacing)
        regions.append(region)
        if region.box(volume) == tuple((0, length) for length in volume.shape_ijk):
            break
    return regions


def always_offered(config: ModelConfig) -> int:
    """How many of the first regions are looked at in any case; the coarser ones only when these are too narrow."""
    return max(1, len(config.spacings))


def choose(answers: Sequence[Answer]) -> Answer:
    """The best of several answers (fine to coarse) for the same click.

    An answer with a mask before one without; then the highest predicted quality; of those alike, the finest.
    """
    candidates = [answer for answer in answers if not answer.is_empty] or answers
    best = max(answer.quality for answer in candidates)
    return next(answer for answer in candidates if answer.quality >= best - ALIKE)


def is_worth_keeping(config: ModelConfig, before: Answer, refined: Answer) -> bool:
    """Whether a refinement without a new click makes the mask better, as far as the model can judge its masks.

    A mask that no step has made, such as one drawn by hand, is `UNJUDGED`: the first step from it is always kept.
    """
    return not config.quality_sees_mask or refined.quality >= before.quality + GAIN


def touches_border(volume: Volume, region: Region, logits: Float32) -> bool:
    """Whether a mask may go on beyond its region: a cell of it lies at a side of the region, inside the volume.

    Args:
        volume: the scan; where it ends no mask goes on.
        region: where the logits lie.
        logits: (m, m, m) in the order R, A, S.
    """
    inside = cells_inside(volume, region, len(logits))
    mask = (logits > 0) & inside[0][:, None, None] & inside[1][:, None] & inside[2]
    low, high = _sides_inside(volume, region)
    first_or_last = ((low, 0), (high, -1))
    return any(
        bool(is_inside[axis] and mask.take(index, axis=axis).any())
        for axis in range(3)
        for is_inside, index in first_or_last
    )


def well_inside(volume: Volume, region: Region, ijk: npt.ArrayLike) -> bool:
    """Whether a point has room around it in a region; the volume's own border needs none."""
    share = (region.to_roi(volume, ijk) + 0.5) / region.size
    low, high = _sides_inside(volume, region)
    enough_low = share >= np.where(low, MARGIN, -ROUNDING)
    enough_high = share <= 1 - np.where(high, MARGIN, -ROUNDING)
    return bool((enough_low & enough_high).all())


def holding(volume: Volume, config: ModelConfig, spacing: Spacing, positions: Floats) -> Region | None:
    """The region around the middle of positions (N, 3), or None when they do not all lie well inside it."""
    region = _around_middle(volume, config, spacing, positions)
    return region if all(well_inside(volume, region, position) for position in positions) else None


def finest_holding(volume: Volume, config: ModelConfig, positions: Floats, finest: Spacing) -> Region:
    """The finest region, with this spacing or a coarser one, that has all positions (N, 3) well inside."""
    rungs = ladder(volume, config)
    for spacing in rungs[rungs.index(finest) : -1]:
        region = holding(volume, config, spacing, positions)
        if region is not None:
            return region
    return _around_middle(volume, config, rungs[-1], positions)


def finer_for_windows(volume: Volume, config: ModelConfig, region: Region, positions: Floats) -> tuple[Spacing, ...]:
    """The spacings, fine to coarse, at which an object is worth looking at again through several windows.

    None when a region one step finer would hold all of it, or when the model was trained at the spacing of the region
    as well as at finer ones: then the zoom was free to choose among them, and one look is what the model does best.

    Args:
        volume: the scan.
        config: of the model.
        region: where the whole object was seen.
        positions: (N, 3) corners of the object, and its points.
    """
    if len(config.spacings) > 1 and region.spacing in config.spacings:
        return ()
    rungs = ladder(volume, config)
    finer = rungs[: rungs.index(region.spacing)]
    if not finer or not len(positions) or holding(volume, config, finer[-1], positions) is not None:
        return ()
    return finer


def mask_extent(volume: Volume, region: Region, logits: Float32) -> Floats:
    """Two opposite corners (2, 3) in voxels (i, j, k) of a mask, clipped to the volume; (0, 3) for an empty mask."""
    cells = np.argwhere(logits > 0)
    if not len(cells):
        return np.zeros((0, 3))
    width = region.size / len(logits)
    corners = region.to_ijk(volume, np.stack((cells.min(axis=0), cells.max(axis=0) + 1)) * width - 0.5)
    return np.asarray(np.clip(corners, -0.5, np.asarray(volume.shape_ijk) - 0.5))


def trusted(prompt: Float32, logits: Float32) -> bool:
    """Whether a window's answer fits what was known of the object there before it."""
    known = prompt > 0
    return bool(np.count_nonzero(known & (logits > 0)) >= KEPT_SHARE * np.count_nonzero(known))


def cells_inside(volume: Volume, region: Region, m: int) -> list[npt.NDArray[np.bool_]]:
    """Along R, A and S: which of a region's m cells have their centre in the volume."""
    centres = (np.arange(m) + 0.5) * region.size / m - 0.5
    along = region.to_ijk(volume, np.repeat(centres[:, None], 3, axis=1))
    inside = (along >= -0.5) & (along <= np.asarray(volume.shape_ijk) - 0.5)
    return [inside[:, axis] for axis in volume.orientation.axes]


def _around_middle(volume: Volume, config: ModelConfig, spacing: Spacing, positions: Floats) -> Region:
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
    return Region.around(middle, config.roi_size, spacing)


def _sides_inside(volume: Volume, region: Region) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Along R, A and S: whether voxels of the volume lie beyond the region's first side, and beyond its last one."""
    sides = region.to_ijk(volume, [[-0.5] * 3, [region.size - 0.5] * 3])[:, list(volume.orientation.axes)]
    last = np.asarray(volume.shape_ijk)[list(volume.orientation.axes)] - 1
    inside = (sides > ROUNDING) & (sides < last - ROUNDING)
    return inside[0], inside[1]
