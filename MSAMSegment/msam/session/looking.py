"""One look of the network at one region: cut, normalise, encode (once), decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from msam.config import ModelConfig
from msam.errors import CheckpointError
from msam.normalisation import fill_value, normalise
from msam.region import Region, cut
from msam.session.answer import Answer, Float32
from msam.session.cache import EmbeddingCache
from msam.session.prompts import Point
from msam.session.run import Run
from msam.session.state import DIGITS_OF_FINE_LOGITS, rounded
from msam.session.zoom import ladder
from msam.volume import Volume

# The clicked tissue is judged by the voxels at most this many away from the click.
REFERENCE_SIZE = 3


class Network(Protocol):
    """What a session needs of a model; `msam.model.Model` is one."""

    @property
    def config(self) -> ModelConfig: ...

    def encode(self, roi: Tensor) -> Any: ...

    def decode(
        self, encoded: Any, points: Tensor, labels: Tensor, mask_logits: Tensor | None = None
    ) -> tuple[Tensor, Tensor]: ...


class Looker:
    """The network bound to one volume for the length of a run."""

    def __init__(
        self, network: Network, cache: EmbeddingCache, volume: Volume, reference: float | None, run: Run
    ) -> None:
        self.network = network
        self.config = network.config
        self.volume = volume
        self.reference = reference
        self.run = run
        self._cache = cache

    def look(self, region: Region, points: Sequence[Point], prompt: Float32 | None = None) -> Answer:
        """Decodes a region.

        Args:
            region: where to look. It is encoded unless it has been before.
            points: what the step sees; those outside the region are left out, and at least one must lie in it.
            prompt: (m, m, m) logits of the step before; None at the first.

        Raises:
            Cancelled: the caller cancelled the run.
            CheckpointError: the network answers with something that is no number.
        """
        encoded = self._encoded(region)
        self.run.poll()
        seen = [point for point in points if region.contains(self.volume, point.position_ijk)]
        positions = region.to_roi(self.volume, [point.position_ijk for point in seen])
        with self.run.timed("decode"):
            logits, quality = self.network.decode(
                encoded,
                torch.from_numpy(positions.astype(np.float32))[None],
                torch.tensor([[int(point.positive) for point in seen]]),
                None if prompt is None else torch.from_numpy(np.ascontiguousarray(prompt))[None, None],
            )
        values, predicted = logits.numpy()[0, 0], float(quality[0, 0])
        if not (np.isfinite(values).all() and np.isfinite(predicted)):
            raise CheckpointError(
                f"The model '{self.config.name}' answers with values that are no finite numbers; its weights are "
                "damaged. Install the model again."
            )
        self.run.poll()
        digits = DIGITS_OF_FINE_LOGITS if self.config.fine_logits else None
        return Answer(region, rounded(values, digits).astype(np.float32), predicted)

    def _encoded(self, region: Region) -> Any:
        key = (self._cache.name(self.network), self._cache.name(self.volume), region, self.reference)
        encoded = self._cache.get(key)
        if encoded is None:
            self.run.poll()
            with self.run.timed("cut"):
                raw = cut(self.volume, region, fill_value(self.volume, self.config))
                inside = region.inside(self.volume) if self.config.normalisation == "click" else None
                roi = torch.from_numpy(normalise(raw, self.config, self.reference, inside))
            self.run.poll()
            with self.run.timed("encode"):
                encoded = self.network.encode(roi)
            self._cache.put(key, encoded)
        return encoded


def clicked_intensity(volume: Volume, config: ModelConfig, points: Sequence[Point]) -> float | None:
    """The intensity of the clicked tissue; None for models that are not normalised to it.

    It is the median of the 3x3x3 voxels, at the finest spacing, around the first positive click.
    """
    if config.normalisation != "click":
        return None
    click = next(point for point in points if point.positive)
    finest = ladder(volume, config)[0]
    around = Region.around(click.position_ijk, REFERENCE_SIZE, finest)
    return float(np.median(cut(volume, around)[around.inside(volume)]))
