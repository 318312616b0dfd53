"""Normalisation against the formulas of the published training, and where these break down."""

from __future__ import annotations

import numpy as np
import pytest

from msam.config import ModelConfig
from msam.normalisation import fill_value, normalise
from msam.volume import Volume

PUBLISHED = ModelConfig()
BY_CLICK = ModelConfig(normalisation="click")


@pytest.fixture
def some_tissue() -> np.ndarray:
    return np.random.default_rng(0).normal(30, 100, (8, 8, 8)).astype(np.float32)


def test_the_foreground_sets_mean_and_unbiased_deviation(some_tissue: np.ndarray) -> None:
    foreground = some_tissue[some_tissue > 0].astype(np.float64)
    result = normalise(some_tissue, PUBLISHED)
    assert result.shape == (1, 1, 8, 8, 8) and result.dtype == np.float32
    assert np.allclose(result[0, 0], (some_tissue - foreground.mean()) / foreground.std(ddof=1), atol=1e-5)


def test_a_region_without_foreground_is_normalised_by_all_its_voxels(some_tissue: np.ndarray) -> None:
    below_zero = some_tissue - 2000
    assert np.allclose(
        normalise(below_zero, PUBLISHED)[0, 0], (below_zero - below_zero.mean()) / below_zero.std(ddof=1), atol=1e-3
    )


@pytest.mark.parametrize("foreground", [1, 5])
def test_a_foreground_without_contrast_is_normalised_by_all_voxels(foreground: int) -> None:
    raw = np.linspace(-900, -100, 64, dtype=np.float32).reshape(4, 4, 4)
    raw[0, 0, :4] = 7.0
    raw[0, 0, foreground:] = -5.0
    result = normalise(raw, PUBLISHED)
    assert np.isfinite(result).all()
    assert np.allclose(result[0, 0], (raw - raw.mean()) / raw.std(ddof=1), atol=1e-4)


@pytest.mark.parametrize("value", [-1000.0, 0.0, 0.1, 37.0, 1e20])
def test_a_constant_region_becomes_zero(value: float) -> None:
    assert np.allclose(
        normalise(np.full((8, 8, 8), value, np.float32), PUBLISHED), 0.0, atol=1e-3 * max(1.0, abs(value))
    )
    flat = normalise(np.full((8, 8, 8), 0.1, np.float32), BY_CLICK, reference=0.1)
    assert np.abs(flat).max() < 1e-6


def test_the_clicked_tissue_becomes_zero_and_the_volume_inside_sets_the_scale(some_tissue: np.ndarray) -> None:
    inside = np.zeros(some_tissue.shape, bool)
    inside[:, 2:6] = True
    padded = np.where(inside, some_tissue, -1000).astype(np.float32)
    result = normalise(padded, BY_CLICK, 42.0, inside)
    assert np.allclose(result[0, 0], (padded - 42.0) / some_tissue[inside].std(ddof=1), atol=1e-4)
    assert np.allclose(
        normalise(some_tissue, BY_CLICK, 42.0)[0, 0], (some_tissue - 42.0) / some_tissue.std(ddof=1), atol=1e-4
    )


def test_normalising_by_the_click_needs_the_tissue(some_tissue: np.ndarray) -> None:
    with pytest.raises(ValueError, match="clicked tissue"):
        normalise(some_tissue, BY_CLICK)


@pytest.mark.parametrize(
    ("modality", "config", "fill"),
    [("CT", PUBLISHED, 0), ("MR", PUBLISHED, 0), ("CT", BY_CLICK, -1000), ("MR", BY_CLICK, 0)],
)
def test_outside_is_zero_as_published_and_air_for_ct_otherwise(modality: str, config: ModelConfig, fill: float) -> None:
    assert fill_value(Volume(np.zeros((2, 2, 2)), np.eye(4), modality), config) == fill
