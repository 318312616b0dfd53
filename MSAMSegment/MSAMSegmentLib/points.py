"""A click as the scene side keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One click on a volume.

    `identifier` is a whole number that stays with the click while it is moved or flipped and is never given to
    another click of the same segment. `positionIjk` is the place in voxels (i, j, k) of the volume, voxel centres at
    whole numbers, so it does not depend on any transform. `positive` tells lesion from background. The order of a
    list of points is the order in which they were placed.
    """

    identifier: int
    positionIjk: tuple[float, float, float]
    positive: bool
