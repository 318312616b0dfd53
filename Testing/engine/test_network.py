"""The whole network against the published way of computing it, on random small configurations."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from published_way import PublishedWay
from small_configs import TINY, random_network

from msam.config import COMPACT, VIT_B_MSAM, VIT_B_SAM_MED3D, ModelConfig
from msam.errors import ConfigError
from msam.model.network import MSAM

configs = st.builds(
    lambda grid, patch, heads, window, adapter, lora: dataclasses.replace(
        TINY,
        roi_size=grid * patch,
        patch_size=patch,
        embed_dim=12 * heads,
        num_heads=heads,
        window_size=grid + window,
        adapter=adapter,
        lora_rank=lora,
    ),
    grid=st.integers(2, 4),
    patch=st.sampled_from([2, 4]),
    heads=st.integers(1, 3),
    window=st.integers(0, 4),
    adapter=st.booleans(),
    lora=st.integers(0, 2),
)


@given(
    config=configs | st.just(dataclasses.replace(COMPACT, roi_size=32, depth=1)),
    clicks=st.integers(1, 4),
    seed=st.integers(0, 2**16),
)
def test_every_step_equals_the_published_way(config: ModelConfig, clicks: int, seed: int) -> None:
    network = random_network(config, seed)
    literal = PublishedWay(network)
    generator = torch.Generator().manual_seed(seed)
    roi = torch.randn(1, 1, *(config.roi_size,) * 3, generator=generator)
    encoded, image = network.encode(roi), literal.encode(roi)
    assert torch.allclose(encoded.embedding, image[0], atol=1e-5, rtol=1e-5)

    mask = torch.zeros(1, 1, *(config.mask_size,) * 3)
    for _ in range(2):
        points = torch.randint(config.roi_size, (1, clicks, 3), generator=generator).float()
        labels = torch.randint(2, (1, clicks), generator=generator).float()
        logits, quality = network.decode(encoded, points, labels, mask)
        expected_logits, expected_quality = literal.decode(image, points, labels, mask)
        assert torch.allclose(logits, expected_logits, atol=1e-4)
        assert torch.allclose(quality, expected_quality, atol=1e-4)
        mask = expected_logits


def test_filler_points_count_for_nothing_but_their_token() -> None:
    network = random_network(TINY)
    encoded = network.encode(torch.randn(1, 1, 32, 32, 32))
    mask = torch.zeros(1, 1, 16, 16, 16)
    answers = [
        network.decode(encoded, torch.tensor([[[4.0, 5, 6], filler]]), torch.tensor([[1.0, -1]]), mask)[0]
        for filler in ([0.0, 0, 0], [9.0, 9, 9])
    ]
    assert torch.equal(*answers)


def test_batch_gives_what_its_members_give() -> None:
    for config in (TINY, dataclasses.replace(COMPACT, roi_size=32, depth=1)):
        network = random_network(config)
        roi = torch.randn(2, 1, 32, 32, 32)
        points, labels = torch.tensor([[[4.0, 5, 6]], [[20.0, 9, 30]]]), torch.tensor([[1.0], [0.0]])
        mask = torch.randn(2, 1, *(config.mask_size,) * 3)
        together, _ = network.decode(network.encode(roi), points, labels, mask)
        for n in range(2):
            alone, _ = network.decode(
                network.encode(roi[n : n + 1]), points[n : n + 1], labels[n : n + 1], mask[n : n + 1]
            )
            assert torch.allclose(together[n], alone[0], atol=1e-5)


def test_click_maps_show_each_kind_of_click_where_it_is() -> None:
    encoder = MSAM(dataclasses.replace(COMPACT, roi_size=64, depth=1)).prompt_encoder
    points = torch.tensor([[[8.5, 20.5, 40.5], [50.5, 30.5, 10.5], [0.0, 0, 0]]])
    maps = encoder.maps(points, torch.tensor([[1.0, 0.0, -1.0]]), torch.zeros(1, 1, 32, 32, 32))
    for channel, expected in ((1, (4, 10, 20)), (2, (25, 15, 5))):
        peak = torch.unravel_index(maps[0, channel].argmax(), (32, 32, 32))
        assert tuple(int(index) for index in peak) == expected
    assert maps[0, 1:, 0, 0, 0].max() < 1e-3, "a filler leaves no mark"


@pytest.mark.parametrize("config", [VIT_B_MSAM, VIT_B_SAM_MED3D, COMPACT, TINY], ids=lambda config: config.name)
def test_configuration_survives_as_json(config: ModelConfig) -> None:
    import json

    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_impossible_sizes_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="multiple of patch_size"):
        dataclasses.replace(TINY, roi_size=33)
    with pytest.raises(ConfigError, match="does not know: colour"):
        ModelConfig.from_dict({**TINY.to_dict(), "colour": 3})
