"""What the proofs of the service share: scans with a ball in them, clicks, and masks to compare with."""

from __future__ import annotations

import os

# The same in every process, and before PyTorch is imported: sums in another order differ in their last digit.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from msam.clicks import Click
from msam.model.loading import load_model
from msam.session.prompts import Point
from msam.session.segmenter import Segmenter
from msam.volume import Volume

SHAPE_KJI = (60, 72, 80)
# The bundled weights: their masks are as smooth as a user's, so that packing them takes as long.
MODEL = "compact"


def scan(seed: int) -> Volume:
    """A bright ball in noise."""
    k, j, i = np.indices(SHAPE_KJI)
    distance = np.sqrt((i - 40) ** 2 + (j - 36) ** 2 + (2 * (k - 30)) ** 2)
    noise = np.random.default_rng(seed).integers(-20, 21, SHAPE_KJI)
    return Volume((np.where(distance < 20, 80, -80) + noise).astype(np.int16), np.diag([1.0, 1.0, 2.0, 1.0]), "CT")


def clicks(number: int) -> list[Click]:
    """One to four clicks, others for every number up to eight."""
    generator = np.random.default_rng(number % 8)
    placed = [Click((40.0, 36.0, 30.0))]
    for _ in range(number % 4):
        i, j, k = generator.uniform((5, 5, 5), (75, 65, 55))
        placed.append(Click((float(i), float(j), float(k)), positive=bool(generator.random() < 0.5)))
    return placed


def expected(volume: Volume) -> list[np.ndarray]:
    """The masks (K, J, I) of `clicks(0)` to `clicks(7)`, computed in this process."""
    segmenter = Segmenter(load_model(MODEL, "cpu"))
    masks = []
    for number in range(8):
        points = [Point(at, click.position, click.positive) for at, click in enumerate(clicks(number))]
        masks.append(segmenter.step(volume, points).mask.whole(volume.shape_ijk))
    return masks
