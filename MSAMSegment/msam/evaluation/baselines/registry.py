"""The baselines by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from msam.clicks import Click
from msam.errors import MsamError
from msam.evaluation.baselines.random_walker import REACH_MM, random_walker
from msam.evaluation.baselines.region_growing import region_growing
from msam.volume import Volume

# A scan and all clicks so far, in voxels (i, j, k), to a mask (K, J, I).
Baseline = Callable[[Volume, Sequence[Click]], npt.NDArray[np.bool_]]

BASELINES: dict[str, Baseline] = {"region-growing": region_growing, "random-walker": random_walker}
# What they know beside the clicks, to follow their names in a sentence.
NOTES = {"random-walker": f"has seeds of the background too: the border of what is {REACH_MM:.0f} mm around the clicks"}


def baselines_named(names: Iterable[str]) -> dict[str, Baseline]:
    """The baselines with these names.

    Raises:
        MsamError: a name that is not known.
    """
    wanted = list(names)
    unknown = [name for name in wanted if name not in BASELINES]
    if unknown:
        raise MsamError(f"There is no baseline {unknown[0]!r}; choose among {', '.join(BASELINES)}.")
    return {name: BASELINES[name] for name in wanted}
