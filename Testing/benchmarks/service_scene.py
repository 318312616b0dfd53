"""What the proofs of the service share: a scan with a ball in it, a small model, and masks to compare with."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import torch

from msam.checkpoints.writing import write_checkpoint
from msam.clicks import Click
from msam.config import COMPACT
from msam.model.loading import load_model
from msam.model.network import MSAM
from msam.session.prompts import Point
from msam.session.segmenter import Segmenter
from msam.volume import Volume

SHAPE_KJI = (60, 72, 80)
# The same number of threads in every process: sums in another order differ in their last digit.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
# Regions and a network small enough that the service, and not the model, is what takes time.
SMALL = dataclasses.replace(COMPACT, name="small", depth=1, spacings=(1.5, 6.0))


def small_model(folder: Path) -> Path:
    """A network of `SMALL` sizes with random weights."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    file = folder / "small.safetensors"
    write_checkpoint(file, MSAM(SMALL).state_dict(), SMALL, {})
    return file


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


def expected(model: Path, volume: Volume) -> list[np.ndarray]:
    """The masks (K, J, I) of `clicks(0)` to `clicks(7)`, computed in this process."""
    segmenter = Segmenter(load_model(model, "cpu"))
    masks = []
    for number in range(8):
        points = [Point(at, click.position, click.positive) for at, click in enumerate(clicks(number))]
        masks.append(segmenter.step(volume, points).mask.whole(volume.shape_ijk))
    return masks
