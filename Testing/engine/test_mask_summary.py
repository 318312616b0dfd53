"""What the quality head sees of a mask, against plain loops over voxels."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from small_configs import TINY, random_network

from msam.model.mask_summary import RIM, STATISTICS, summarise, summary_width
from msam.model.network import MSAM

M, CHANNELS = 8, 3


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and the features they were made from."""
    torch.manual_seed(0)
    return 2 * torch.randn(2, 1, M, M, M), torch.randn(2, CHANNELS, M, M, M)


def test_the_means_are_those_of_the_voxels_inside_and_around(case: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, features = case
    summary = summarise(logits, features)
    assert summary.shape == (2, summary_width(CHANNELS))
    for number in range(2):
        inside = 1 / (1 + np.exp(-logits[number, 0].double().numpy()))
        around = np.empty_like(inside)
        for index in np.ndindex(inside.shape):
            box = tuple(slice(max(0, at - RIM), at + RIM + 1) for at in index)
            around[index] = inside[box].max() - inside[index]
        for first, weights in ((0, inside), (CHANNELS, around)):
            means = (features[number].double().numpy() * weights).sum((1, 2, 3)) / (weights.sum() + 1e-3)
            assert summary[number, first : first + CHANNELS].numpy() == pytest.approx(means, abs=1e-4)


def test_the_statistics_are_those_of_the_mask(case: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, features = case
    size, overlap, side, reach, thinness, sureness = summarise(logits, features)[0, -STATISTICS:].double().tolist()
    probability = 1 / (1 + np.exp(-logits[0, 0].double().numpy()))
    mask = probability > 0.5
    union = np.count_nonzero(mask) + probability[~mask].sum()
    sides = [probability.take(end, axis) for axis in range(3) for end in (0, -1)]
    assert size == pytest.approx(math.log(probability.mean() + 1e-5), abs=1e-5)
    assert overlap == pytest.approx(probability[mask].sum() / union, abs=1e-5)
    assert side == pytest.approx(max(each.mean() for each in sides), abs=1e-5)
    assert reach == pytest.approx(max(each.max() for each in sides), abs=1e-5)
    assert thinness > 0
    assert 0.5 < sureness < 1


def test_an_empty_mask_has_a_summary_too() -> None:
    assert summarise(torch.full((1, 1, M, M, M), -500.0), torch.randn(1, CHANNELS, M, M, M)).isfinite().all()


def test_the_quality_moves_with_the_mask_and_the_mask_does_not_learn_from_it() -> None:
    network: MSAM = random_network(dataclasses.replace(TINY, quality_sees_mask=True))
    size = network.config.roi_size
    encoded = network.encode(torch.randn(1, 1, size, size, size))
    points, labels = torch.full((1, 1, 3), size / 2), torch.ones(1, 1)
    m = network.config.mask_size
    qualities = [network.decode(encoded, points, labels, torch.full((1, 1, m, m, m), x))[1] for x in (-5.0, 5.0)]
    assert not torch.equal(*qualities)
