"""The part of an array that matters, so that work on a small object does not grow with its scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Slices = tuple[slice, slice, slice]


def box_of(mask: npt.NDArray[Any]) -> Slices | None:
    """The smallest box (along k, j, i) with all that is not zero; None where there is nothing."""
    spans = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not len(spans[0]):
        return None
    k, j, i = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return k, j, i
