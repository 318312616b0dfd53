"""Resampling against formulas written out, torch, and what interpolation must preserve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msam import resampling
from msam.resampling import AxisMap, averaging, enlargement, expand, linear, resample, sampling


def sampled(values: np.ndarray, positions: np.ndarray, step: float) -> np.ndarray:
    mapped = sampling(positions, step, len(values))
    return np.asarray(mapped.weights @ values[mapped.source])


def triangle_average(values: np.ndarray, position: float, width: float) -> float:
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(len(values)) - position) / width)
    return float(weights @ values / weights.sum())


@pytest.fixture
def a_signal() -> np.ndarray:
    return np.random.default_rng(0).normal(size=60)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_the_voxels_own_positions_are_taken_as_they_are(a_signal: np.ndarray, direction: float) -> None:
    positions = 30.0 + direction * np.arange(20)
    assert np.array_equal(
        sampled(a_signal.astype(np.float32), positions, 1.0), a_signal.astype(np.float32)[positions.astype(int)]
    )


@given(start=st.floats(-20, 70), step=st.floats(0.1, 3.99))
def test_samples_are_triangle_averages_as_wide_as_the_step(start: float, step: float) -> None:
    values = np.random.default_rng(1).normal(size=50)
    positions = start + step * np.arange(12)
    mapped = sampling(positions, step, 50)
    for position, inside, mixed in zip(positions, mapped.inside, mapped.weights @ values[mapped.source], strict=True):
        assert inside == (-0.5 - 1e-6 <= position <= 49.5 + 1e-6)
        assert mixed == pytest.approx(triangle_average(values, position, max(1.0, step)) if inside else 0.0, abs=1e-5)


@given(start=st.floats(-100, 300), step=st.floats(0.05, 60), length=st.integers(1, 200))
def test_a_constant_stays_the_same_wherever_it_is_sampled(start: float, step: float, length: int) -> None:
    mapped = sampling(start + step * np.arange(16), step, length)
    assert np.allclose(mapped.weights.sum(axis=1), mapped.inside, atol=1e-6)


@given(step=st.floats(4.0, 40.0), length=st.integers(100, 3000))
def test_coarse_steps_read_a_bounded_number_of_voxels(step: float, length: int) -> None:
    mapped = sampling(length / 2 + step * (np.arange(64) - 32), step, length)
    assert len(range(*mapped.source.indices(length))) <= 4 * (64 + 2)


@pytest.mark.parametrize("step", [2.5, 5.0, 11.0])
def test_coarse_steps_do_not_alias_fine_detail(step: float) -> None:
    noise = np.random.default_rng(2).normal(size=4000)
    positions = 50 + step * np.arange(int(3900 / step))
    assert sampled(noise, positions, step).std() < 0.75
    slow = np.sin(np.arange(4000) / (6 * step))
    assert np.allclose(sampled(slow, positions, step), np.sin(positions / (6 * step)), atol=0.02)


@pytest.mark.parametrize("step", [2.0, 3.0])
def test_a_checkerboard_averages_out_when_it_is_finer_than_the_step(step: float) -> None:
    checks = (-1.0) ** np.arange(200)
    assert np.abs(sampled(checks, 20 + step * np.arange(50), step)).max() < 0.2


@given(small=st.integers(1, 12), factor=st.integers(1, 5))
def test_enlargement_is_torchs_interpolation(small: int, factor: int) -> None:
    values = torch.randn(1, 1, small, dtype=torch.float64)
    truth = torch.nn.functional.interpolate(values, size=small * factor, mode="linear", align_corners=False)
    assert np.allclose(enlargement(small, small * factor) @ values[0, 0].numpy(), truth[0, 0].numpy())


def test_linear_interpolation_is_numpys() -> None:
    values, positions = np.random.default_rng(3).normal(size=10), np.linspace(-3, 13, 40)
    assert np.allclose(linear(positions, 10) @ values, np.interp(positions, np.arange(10), values))


@given(start=st.floats(-5, 25), width=st.floats(0.3, 7), first=st.integers(0, 12), reverse=st.booleans())
def test_averaging_is_the_share_of_a_cell_that_is_filled(start: float, width: float, first: int, reverse: bool) -> None:
    filled = np.random.default_rng(4).random(9) < 0.5
    edges = start + width * np.arange(6)
    mapped = averaging(edges[::-1] if reverse else edges, first, 9)
    shares = mapped.weights @ filled[mapped.source]
    fine = 2000
    for cell, share in enumerate(shares[::-1] if reverse else shares):
        inside = edges[cell] + width * (np.arange(fine) + 0.5) / fine
        voxel = np.floor(inside + 0.5).astype(int) - first
        truth = filled[np.clip(voxel, 0, 8)] & (voxel >= 0) & (voxel < 9)
        assert share == pytest.approx(truth.mean(), abs=0.01)


def some_maps(shape: tuple[int, int, int]) -> tuple[AxisMap, AxisMap, AxisMap]:
    along = [sampling(2.3 + 1.4 * np.arange(5), 1.4, length) for length in shape]
    return along[0], along[1], along[2]


@pytest.mark.parametrize("dtype", ["bool", "u1", "i2", ">i2", "u4", "i8", "f2", "f4", ">f8"])
def test_any_type_and_layout_of_voxels_is_resampled_alike(dtype: str) -> None:
    voxels = np.random.default_rng(5).integers(0, 2, (11, 12, 13)).astype(dtype)
    maps = some_maps(voxels.shape)
    block = voxels[tuple(along.source for along in maps)].astype(np.float64)
    truth = np.einsum("ak,bj,ci,kji->abc", *(along.weights for along in maps), block)
    result = resample(voxels, maps)
    assert result.dtype == np.float32 and np.allclose(result, truth, atol=1e-5)
    assert np.array_equal(resample(np.asfortranarray(voxels), maps), result)


def test_reading_in_portions_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = np.random.default_rng(6).normal(size=(11, 12, 13)) * 10
    whole = resample(voxels, some_maps(voxels.shape), (-5.0, 5.0))
    monkeypatch.setattr(resampling, "VOXELS_AT_ONCE", 150)
    assert np.allclose(resample(voxels, some_maps(voxels.shape), (-5.0, 5.0)), whole, atol=1e-6)


def test_values_are_clamped_before_they_are_mixed() -> None:
    voxels = np.zeros((4, 4, 4))
    voxels[1] = 3000.0
    halfway = sampling(np.array([0.5]), 1.0, 4)
    assert resample(voxels, (halfway, halfway, halfway), (-1000.0, 1000.0)) == pytest.approx(500.0)


def test_outside_the_source_there_is_zero() -> None:
    nowhere = sampling(np.array([50.0, 51.0]), 1.0, 4)
    assert np.array_equal(resample(np.ones((4, 4, 4)), (nowhere, nowhere, nowhere)), np.zeros((2, 2, 2)))


def test_expanding_is_the_product_along_every_axis() -> None:
    rng = np.random.default_rng(7)
    cube, weights = (
        rng.normal(size=(3, 4, 5)).astype(np.float32),
        [rng.normal(size=(n, m)) for n, m in ((6, 3), (2, 4), (7, 5))],
    )
    truth = np.einsum("ak,bj,ci,kji->abc", *weights, cube)
    assert np.allclose(expand(cube, (weights[0], weights[1], weights[2])), truth, atol=1e-4)
