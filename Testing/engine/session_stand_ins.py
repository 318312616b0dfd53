"""Networks without weights, whose answers can be worked out by hand, and the volumes to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from msam.config import ModelConfig
from msam.session import Session
from msam.volume import Volume

TISSUE = 100


@dataclass
class Region:
    """What a stand-in keeps of a region: its voxels."""

    roi: Tensor

    @property
    def nbytes(self) -> int:
        return self.roi.nbytes


@dataclass(eq=False)
class Counting:
    """A network that remembers what it was asked."""

    config: ModelConfig
    encoded: int = 0
    decoded: int = 0
    labels: list[list[int]] = field(default_factory=list)

    def encode(self, roi: Tensor) -> Region:
        self.encoded += 1
        return Region(roi)

    def note(self, labels: Tensor) -> None:
        self.decoded += 1
        self.labels.append(labels[0].tolist())


@dataclass(eq=False)
class TissueFinder(Counting):
    """Answers with the share of tissue in each cell of the mask. Needs a configuration normalised to the click.

    The clicked tissue is zero then, and the rest of the volume the one value below it.
    """

    quality: Callable[[Tensor], float] = lambda roi: 0.9

    def decode(
        self, encoded: Region, points: Tensor, labels: Tensor, mask_logits: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        self.note(labels)
        darkest = float(encoded.roi.min())
        threshold = -1.0 if darkest > -1e-3 else darkest / 2
        width = self.config.roi_size // self.config.mask_size
        logits = 4 * (F.avg_pool3d(encoded.roi, width) - threshold) / abs(threshold)
        return logits, torch.tensor([[self.quality(encoded.roi)]])


@dataclass(eq=False)
class BallPainter(Counting):
    """Paints a ball around each positive click and wipes one around each negative click, over what was there before."""

    radius: float = 6.0  # in voxels of the region
    memory: float = 0.5
    quality: float = 0.8

    def decode(
        self, encoded: Region, points: Tensor, labels: Tensor, mask_logits: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        self.note(labels)
        size, m = self.config.roi_size, self.config.mask_size
        centres = (torch.arange(m) + 0.5) * size / m - 0.5
        cells = torch.stack(torch.meshgrid(centres, centres, centres, indexing="ij"), dim=-1)
        logits = torch.full((m, m, m), -2.0) if mask_logits is None else self.memory * mask_logits[0, 0]
        for point, label in zip(points[0], labels[0], strict=True):
            depth = self.radius - (cells - point).norm(dim=-1)
            logits = torch.maximum(logits, depth) if label else torch.minimum(logits, -depth)
        return logits[None, None], torch.tensor([[self.quality]])


def small_config(**changes: object) -> ModelConfig:
    """Regions of 32 voxels a side with masks of 16 cells a side."""
    sizes = {"name": "small", "roi_size": 32, "patch_size": 8, **changes}
    return ModelConfig(**sizes)  # type: ignore[arg-type]


def distances(shape_ijk: tuple[int, int, int], centre_ijk: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Distance of every voxel to a position, in voxels, (K, J, I)."""
    i, j, k = np.asarray(centre_ijk, dtype=np.float64)
    along_i, along_j, along_k = (np.arange(length) for length in shape_ijk)
    squares = (along_k[:, None, None] - k) ** 2 + (along_j[:, None] - j) ** 2 + (along_i - i) ** 2
    return np.asarray(np.sqrt(squares))


def volume_with(mask: npt.NDArray[np.bool_], ijk_to_ras: npt.ArrayLike | None = None) -> Volume:
    """A volume with tissue where the mask is, and nothing around it."""
    return Volume(np.where(mask, np.uint8(TISSUE), np.uint8(0)), np.eye(4) if ijk_to_ras is None else ijk_to_ras)


def noise(shape_ijk: tuple[int, int, int], ijk_to_ras: npt.ArrayLike | None = None) -> Volume:
    """A volume in which nothing is to be found."""
    voxels = np.random.default_rng(0).integers(0, 200, shape_ijk[::-1], dtype=np.int16)
    return Volume(voxels, np.eye(4) if ijk_to_ras is None else ijk_to_ras)


def dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Overlap of two masks, 0 to 1."""
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


SHAPE = (48, 44, 40)
CENTRE = (24, 22, 20)


def a_session(network: BallPainter | None = None, **callbacks: Callable[..., object]) -> Session:
    return Session(network or BallPainter(small_config()), noise(SHAPE), **callbacks)  # type: ignore[arg-type]


def ball(radius: float, centre: npt.ArrayLike = CENTRE) -> npt.NDArray[np.bool_]:
    return distances(SHAPE, centre) <= radius


@dataclass
class Switch:
    """Lets a run go on for a number of polls."""

    polls: int = 10**9
    words: list[str] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)

    def __call__(self) -> bool:
        self.polls -= 1
        return self.polls < 0

    def heard(self, fraction: float, words: str) -> None:
        self.fractions.append(fraction)
        self.words.append(words)
