"""What the network says about a region of interest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from msam.region import Region

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Answer:
    """The outcome of one decoding step.

    Attributes:
        region: where the network looked.
        logits: (m, m, m) float32 in the order R, A, S, already rounded to what a state can keep.
        quality: predicted intersection over union.
    """

    region: Region
    logits: Float32
    quality: float

    @property
    def is_empty(self) -> bool:
        """Whether no cell belongs to the mask."""
        return not bool((self.logits > 0).any())
