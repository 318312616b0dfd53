"""What is said of a step: by the buttons for undo and redo of what it did, by the status line of what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from msam.protocol.masks import Mask
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.translation import tr as _


def describePoints(before: Sequence[Point], after: Sequence[Point]) -> str:
    """What was done to the points, such as "positive point" or "3 points"; "points" for what has no short name."""
    old = {point.identifier: point for point in before}
    new = {point.identifier: point for point in after}
    added = [point for name, point in new.items() if name not in old]
    removed = [name for name in old if name not in new]
    changed = [(old[name], point) for name, point in new.items() if name in old and old[name] != point]
    match len(added), len(removed), len(changed):
        case 1, 0, 0:
            return _("positive point") if added[0].positive else _("negative point")
        case count, 0, 0 if count:
            return _("{count} points").format(count=count)
        case 0, 1, 0:
            return _("removed point")
        case 0, count, 0 if count:
            return _("{count} removed points").format(count=count)
        case 0, 0, 1:
            was, now = changed[0]
            return _("moved point") if was.positive == now.positive else _("flipped point")
    return _("points")


def describeAnswer(mask: Mask, quality: float) -> str:
    """What came back, in a sentence or two.

    Made here and not taken from the engine, which speaks English only.

    Args:
        mask: as the engine made it.
        quality: the predicted intersection over union, 0 to 1.
    """
    voxels = int(mask.voxels.sum())
    if not voxels:
        return _(
            "The mask is empty: the model found nothing at these points. "
            "Place a positive point nearer to the middle of the lesion, or remove negative ones."
        )
    words = _("The mask has {voxels:,} voxels; the model expects it to overlap the truth by {quality:.0%}.")
    return words.format(voxels=voxels, quality=quality)
