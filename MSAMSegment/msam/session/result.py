"""What a session hands back after every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from msam.region import Box


@dataclass(frozen=True)
class Result:
    """What a step changed, and how well it went.

    Attributes:
        box: the voxels that differ from the mask before, ((i0, i1), (j0, j1), (k0, k1)), half-open; all zero when
            nothing changed.
        voxels: the new mask inside that box, bool (k1 - k0, j1 - j0, i1 - i0).
        is_empty: whether the whole mask, not the box alone, is empty.
        message: the outcome in one or two sentences.
        quality: predicted intersection over union with the truth, 0 to 1; 0 where no step has run.
        iterations: decoding steps that really ran: one per new point and one per iteration of refining.
        state: opaque and compact; with the same points another process goes on from it (`State.from_bytes`,
            `Segmenter.step`). Empty before the first step and after a mask was set by hand.
        timings: seconds spent: "cut", "encode", "decode", "paste", "total".
    """

    box: Box
    voxels: npt.NDArray[np.bool_]
    is_empty: bool
    message: str
    quality: float
    iterations: int
    state: bytes
    timings: dict[str, float]
