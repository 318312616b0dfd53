"""Logits as fine as the voxels of the region, against loops over these voxels."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from labelled_folders import TINY_COMPACT
from small_configs import TINY, random_network
from torch.nn import functional as F

from msam.errors import ConfigError, StateError
from msam.model.fine_logits import FineLogits
from msam.region import Region
from msam.resampling import enlargement
from msam.session.state import State
from msam.volume import Volume

CELLS, CHANNELS = 4, 3


def a_case() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of two regions, and the features that they were made from."""
    torch.manual_seed(0)
    return 3 * torch.randn(2, 1, CELLS, CELLS, CELLS), torch.randn(2, CHANNELS, CELLS, CELLS, CELLS)


def test_a_new_module_interpolates() -> None:
    logits, features = a_case()
    along = torch.from_numpy(enlargement(CELLS, 2 * CELLS)).float()
    expected = torch.einsum("xi,yj,zk,bcijk->bcxyz", along, along, along, logits)
    assert torch.allclose(FineLogits(CHANNELS)(logits, features), expected, atol=1e-5)


def test_each_cell_gives_the_eight_voxels_it_covers() -> None:
    logits, features = a_case()
    module = FineLogits(CHANNELS)
    interpolated = module(logits, features)
    torch.nn.init.normal_(module.voxels.weight)
    torch.nn.init.normal_(module.voxels.bias)
    added = module(logits, features) - interpolated
    seen = torch.cat((features, torch.tanh(logits / 4)), dim=1)
    values = module.voxels(F.gelu(module.hidden(seen)))
    for cell in np.ndindex(CELLS, CELLS, CELLS):
        for number, offset in enumerate(itertools.product((0, 1), repeat=3)):
            i, j, k = (2 * index + step for index, step in zip(cell, offset, strict=True))
            assert torch.allclose(added[:, 0, i, j, k], values[:, number, *cell], atol=1e-4)


def test_the_network_answers_with_a_logit_for_each_voxel_and_goes_on_from_them() -> None:
    network = random_network(TINY_COMPACT)
    size = network.config.roi_size
    assert network.config.mask_size == size
    encoded = network.encode(torch.randn(1, 1, size, size, size))
    points, labels = torch.full((1, 1, 3), size / 2), torch.ones(1, 1)
    nothing = torch.zeros(1, 1, size, size, size)
    first, _ = network.decode(encoded, points, labels, nothing)
    second, _ = network.decode(encoded, points, labels, first)
    assert first.shape == second.shape == nothing.shape
    assert not torch.equal(first, second)


def test_the_mask_branch_sees_the_mean_of_the_voxels_of_a_cell() -> None:
    encoder = random_network(TINY_COMPACT).prompt_encoder
    torch.manual_seed(0)
    fine = torch.randn(1, 1, *(TINY_COMPACT.mask_size,) * 3)
    seen = encoder.maps(torch.zeros(1, 1, 3), torch.zeros(1, 1), fine)[0, 0]
    cells = fine[0, 0].unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).unflatten(0, (-1, 2)).mean((1, 3, 5))
    assert torch.allclose(seen, torch.tanh(cells / 4), atol=1e-6)


def test_fine_logits_need_a_stem() -> None:
    with pytest.raises(ConfigError, match="stem"):
        dataclasses.replace(TINY, fine_logits=True)


def test_a_state_with_coarser_logits_is_of_another_version() -> None:
    m, size = TINY_COMPACT.map_size, TINY_COMPACT.roi_size
    region = Region.around((8, 8, 8), size, 1.5)
    state = State(TINY_COMPACT.name, region, np.zeros((m, m, m), np.float16), 0, "", 0.5, None)
    volume = Volume(np.zeros((16, 16, 16), np.float32), np.eye(4), "CT")
    with pytest.raises(StateError, match="another version of the model 'compact'"):
        state.check(volume, TINY_COMPACT)
    dataclasses.replace(state, logits=np.zeros((size, size, size), np.float16)).check(volume, TINY_COMPACT)
