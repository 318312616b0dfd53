"""Unions of labels: the whole tumour beside its core, the whole organ beside its parts.

The rule: within a scan, labels that have a common face somewhere belong together, directly or through a third one. Two
to four labels that belong together make one more object. Five and more, as in atlases of a whole body region, do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_PARTS = 4


def touching(label: npt.NDArray[Any], values: Iterable[int]) -> list[tuple[int, ...]]:
    """The groups of labels that make one more object, each in ascending order.

    Args:
        label: (K, J, I), one value a voxel.
        values: those that are labels of objects.
    """
    group = {value: {value} for value in values}
    for one, other in _neighbours(label):
        if one in group and other in group and group[one] is not group[other]:
            joined = group[one] | group[other]
            group.update(dict.fromkeys(joined, joined))
    found = {tuple(sorted(members)) for members in group.values()}
    return sorted(members for members in found if 2 <= len(members) <= MOST_PARTS)


def _neighbours(label: npt.NDArray[Any]) -> set[tuple[int, int]]:
    """Every pair of different values above zero that have a face in common."""
    pairs: set[tuple[int, int]] = set()
    for axis in range(3):
        along = np.moveaxis(label, axis, 0)
        low, high = along[:-1], along[1:]
        border = (low != high) & (low > 0) & (high > 0)
        pairs.update((int(a), int(b)) for a, b in np.unique(np.stack((low[border], high[border])), axis=1).T)
    return pairs
