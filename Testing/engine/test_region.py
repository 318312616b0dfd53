"""Regions of interest: cutting, pasting and projecting against the published numbers, torch, scipy and brute force."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from geometries import GEOMETRIES, geometries, ijk_to_ras, rotation
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import ndimage

from msam.config import ModelConfig
from msam.errors import StateError
from msam.normalisation import normalise
from msam.region import Box, Region, cut, paste, project
from msam.volume import Volume

SHAPE = (26, 34, 30)
SPACINGS = (None, 0.5, 1.0, 2.6, 7.0)
PARITY = ("ras_iso", "lps_anisotropic_near_border", "sagittal_permuted", "oblique_ct")


def a_volume_of(values: Any, matrix: np.ndarray, modality: str = "MR") -> Volume:
    """A volume whose voxels are a function of i, j, k."""
    k, j, i = np.meshgrid(*(np.arange(length, dtype=np.float64) for length in SHAPE), indexing="ij")
    return Volume(values(i, j, k), matrix, modality)


def noise(i: np.ndarray, _j: np.ndarray, _k: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).normal(size=i.shape) * 50


def roi_voxels(size: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def in_box(box: Box) -> tuple[slice, slice, slice]:
    (i0, i1), (j0, j1), (k0, k1) = box
    return slice(k0, k1), slice(j0, j1), slice(i0, i1)


def voxels_of(box: Box) -> np.ndarray:
    """All (i, j, k) of a box, in the order of an array [k, j, i]."""
    k, j, i = np.meshgrid(*(np.arange(*bounds) for bounds in reversed(box)), indexing="ij")
    return np.stack([i, j, k], axis=-1).reshape(-1, 3)


@st.composite
def regions(draw: st.DrawFn, volume: Volume, size: int = 12) -> Region:
    """Regions of a volume, some of them partly outside of it."""
    centre = [draw(st.floats(-3, length + 2)) for length in volume.shape_ijk]
    return Region.around(centre, size, draw(st.sampled_from(SPACINGS)))


# --- where a region lies ---


@pytest.mark.parametrize("name", PARITY)
def test_the_click_and_the_axes_lie_as_in_the_published_training(name: str, data: Path) -> None:
    case, volume, parity = published(name, data)
    region = Region.around(case["click_ijk"], case["roi"], None)
    assert region.to_roi(volume, [case["click_ijk"]]).tolist() == [case["click_in_roi"]]
    roi = np.random.default_rng(0).uniform(0, case["roi"], (20, 3))
    world = roi @ parity["roi_affine"][:3, :3].T + parity["roi_affine"][:3, 3]
    ijk = region.to_ijk(volume, roi)
    assert np.allclose(ijk @ volume.ijk_to_ras[:3, :3].T + volume.ijk_to_ras[:3, 3], world)


@given(st.data(), geometries())
def test_going_to_the_region_and_back_changes_nothing(draw: st.DataObject, matrix: np.ndarray) -> None:
    volume = a_volume_of(noise, matrix)
    region = draw.draw(regions(volume))
    points = np.random.default_rng(1).uniform(-20, 60, (10, 3))
    assert np.allclose(region.to_ijk(volume, region.to_roi(volume, points)), points)
    assert np.allclose(region.to_roi(volume, [region.centre]), region.size // 2)


@given(st.data(), geometries())
def test_the_axes_of_a_region_lead_to_the_right_front_and_top(draw: st.DataObject, matrix: np.ndarray) -> None:
    volume = a_volume_of(noise, matrix)
    region = draw.draw(regions(volume))
    for world, step in enumerate(np.eye(3)):
        moved = matrix[:3, :3] @ (region.to_ijk(volume, [step]) - region.to_ijk(volume, [[0, 0, 0]]))[0]
        length = region.spacing or volume.spacing[volume.orientation.axes[world]]
        assert np.linalg.norm(moved) == pytest.approx(length)
        assert moved[world] > 0


def test_without_resampling_the_centre_is_the_nearest_voxel() -> None:
    assert Region.around((4.4, 5.5, 6.6), 8, None).centre == (4, 6, 7)
    assert Region.around((4.4, 5.5, 6.6), 8, 2.0).centre == (4.4, 5.5, 6.6)


@given(st.data(), geometries())
def test_the_box_holds_exactly_the_voxels_that_the_region_contains(draw: st.DataObject, matrix: np.ndarray) -> None:
    volume = a_volume_of(noise, matrix)
    region = draw.draw(regions(volume))
    everything = ((0, SHAPE[2]), (0, SHAPE[1]), (0, SHAPE[0]))
    roi = region.to_roi(volume, voxels_of(everything))
    assume(np.abs(np.abs(roi - (region.size - 1) / 2) - region.size / 2).min() > 1e-4)
    contained = ((roi > -0.5) & (roi < region.size - 0.5)).all(axis=1).reshape(SHAPE)
    boxed = np.zeros(SHAPE, bool)
    boxed[in_box(region.box(volume))] = True
    assert np.array_equal(boxed, contained)


def test_a_region_contains_what_lies_in_its_voxels() -> None:
    volume = a_volume_of(noise, GEOMETRIES["lps"])
    region = Region.around((10, 10, 10), 4, None)
    for corner in itertools.product((-0.5, 3.5), repeat=3):
        assert region.contains(volume, region.to_ijk(volume, [corner])[0])
    assert not region.contains(volume, region.to_ijk(volume, [(1, 1, 3.6)])[0])


def test_a_region_survives_json() -> None:
    for region in (Region(32, (1.5, 2.0, 3.25), 1.5), Region(128, (1.0, 2.0, 3.0), None)):
        assert Region.from_dict(json.loads(json.dumps(region.to_dict()))) == region


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"size": 8, "centre": [1, 2], "spacing": None},
        {"size": 8, "centre": [1, 2, "x"], "spacing": None},
        {"size": 0, "centre": [1, 2, 3], "spacing": None},
        {"size": 8, "centre": [1, 2, float("nan")], "spacing": None},
        {"size": 8, "centre": [1, 2, 3], "spacing": -1.0},
        {"size": 8, "centre": None, "spacing": 1.0},
    ],
)
def test_a_damaged_region_is_refused_in_words(values: dict[str, Any]) -> None:
    with pytest.raises(StateError, match="region of interest"):
        Region.from_dict(values)


# --- cutting ---


def published(name: str, data: Path) -> tuple[dict[str, Any], Volume, dict[str, np.ndarray]]:
    cases = {case["name"]: case for case in json.loads((data / "preprocess.json").read_text())}
    with np.load(data / "preprocess.npz") as arrays:
        parity = {key: arrays[f"{name}_{key}"] for key in ("volume", "affine", "roi", "roi_affine")}
    modality = "CT" if cases[name]["clamp"] else "MR"
    return cases[name], Volume(parity["volume"].transpose(2, 1, 0), parity["affine"], modality), parity


@pytest.mark.parametrize("name", PARITY)
def test_a_region_on_the_volumes_own_voxels_is_that_of_the_published_training(name: str, data: Path) -> None:
    case, volume, parity = published(name, data)
    region = Region.around(case["click_ijk"], case["roi"], None)
    assert np.abs(normalise(cut(volume, region), ModelConfig())[0, 0] - parity["roi"]).max() < 1e-4


@given(st.data(), geometries())
def test_a_linear_ramp_is_cut_where_it_lies_in_any_geometry_and_spacing(
    draw: st.DataObject, matrix: np.ndarray
) -> None:
    volume = a_volume_of(lambda i, j, k: 3 * i - 2 * j + 5 * k + 7, matrix)
    region = draw.draw(regions(volume))
    ijk = region.to_ijk(volume, roi_voxels(region.size))
    reach = np.maximum(1, np.abs(region.to_ijk(volume, [[1, 1, 1]]) - region.to_ijk(volume, [[0, 0, 0]])))
    # A kernel that is no whole number of voxels wide has its middle off by up to a twentieth of its width.
    tolerance = 1e-2 if reach.max() == 1 else 0.05 * float(reach[0] @ (3, 2, 5))
    well_inside = ((ijk - reach > 0) & (ijk + reach < np.array(volume.shape_ijk) - 1)).all(axis=1)
    values = cut(volume, region).reshape(-1)
    assert np.allclose(values[well_inside], (ijk @ (3, -2, 5) + 7)[well_inside], atol=tolerance)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("spacing", [None, 0.4, 0.7])
def test_finer_than_the_volume_a_region_is_interpolated_linearly(name: str, spacing: float | None) -> None:
    volume = a_volume_of(noise, GEOMETRIES[name])
    region = Region.around((3.3, 15.2, 21.8), 16, spacing)
    ijk = region.to_ijk(volume, roi_voxels(16))
    truth = ndimage.map_coordinates(volume.voxels, ijk[:, ::-1].T, order=1, mode="nearest").reshape(16, 16, 16)
    inside = np.array([volume.contains(point) for point in ijk]).reshape(16, 16, 16)
    assert np.array_equal(region.inside(volume), inside)
    assert inside.any()
    assert np.allclose(cut(volume, region, fill=-7.0), np.where(inside, truth, -7.0), atol=1e-3)


@given(st.data(), geometries())
def test_outside_the_volume_there_is_only_the_fill(draw: st.DataObject, matrix: np.ndarray) -> None:
    volume = a_volume_of(lambda i, _j, _k: np.full_like(i, 5.0), matrix)
    region = draw.draw(regions(volume))
    values = cut(volume, region, fill=-1000.0)
    assert np.allclose(values, np.where(region.inside(volume), 5.0, -1000.0), atol=1e-3)


def test_a_region_far_outside_is_all_fill() -> None:
    volume = a_volume_of(noise, GEOMETRIES["oblique"])
    region = Region.around((500, 500, 500), 8, 1.0)
    assert np.array_equal(cut(volume, region, fill=3.0), np.full((8, 8, 8), 3.0))
    box, pasted = paste(np.ones((4, 4, 4)), volume, region)
    assert pasted.size == 0
    assert np.array_equal(project(np.zeros(pasted.shape, bool), box, volume, region, 4), np.zeros((4, 4, 4)))


def test_ct_is_clamped_and_other_modalities_are_not() -> None:
    matrix = np.eye(4)
    region = Region(8, (15.0, 15.0, 15.0), None)
    for modality, lowest, highest in (("CT", -1000, 1000), ("MR", -3000, 3000)):
        values = cut(a_volume_of(lambda i, _j, _k: np.where(i % 2, 3000, -3000), matrix, modality), region)
        assert values.min() == lowest and values.max() == highest


class CountingVoxels(np.ndarray):
    """An array that counts what is taken from it."""

    taken: int

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        if hasattr(self, "taken"):
            self.taken += part.size
        return part


def counting_ct(slices: int, width: int) -> Volume:
    plane = np.random.default_rng(0).integers(-1000, 1000, (width, width)).astype(np.int16)
    voxels = np.broadcast_to(plane, (slices, width, width)).view(CountingVoxels)
    voxels.taken = 0
    return Volume(voxels, np.diag([-0.7, -0.7, 0.6, 1.0]), "CT")


@pytest.mark.parametrize("spacing", [None, 0.8, 1.5, 3.0, 6.0])
def test_a_click_reads_no_more_of_a_large_ct_than_of_a_small_one(spacing: float | None) -> None:
    size = 64
    large = counting_ct(800, 512)
    tracemalloc.start()
    cut(large, Region.around((255.3, 250.1, 400.7), size, spacing))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    small = counting_ct(400, 320)
    cut(small, Region.around((159.3, 158.1, 200.7), size, spacing))
    assert large.voxels.taken <= (4 * (size + 2)) ** 3  # type: ignore[attr-defined]
    if spacing is not None and spacing < 3.0:
        assert large.voxels.taken <= small.voxels.taken * 1.05  # type: ignore[attr-defined]
    assert peak < 80e6  # the volume itself would be 840 MB in float32


def test_a_coarse_region_over_a_whole_large_ct_reads_a_fraction_of_it() -> None:
    large = counting_ct(800, 512)
    cut(large, Region.around((255.3, 250.1, 400.7), 64, 8.0))
    assert 0 < large.voxels.taken < 0.02 * large.voxels.size  # type: ignore[attr-defined]


# --- pasting ---


@given(st.data(), geometries())
def test_logits_are_pasted_as_torch_and_scipy_would(draw: st.DataObject, matrix: np.ndarray) -> None:
    volume = a_volume_of(noise, matrix)
    region = draw.draw(regions(volume))
    logits = np.random.default_rng(2).normal(size=(3, 3, 3)).astype(np.float32)
    enlarged = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None, None], size=(region.size,) * 3, mode="trilinear", align_corners=False
    )[0, 0].numpy()
    box, pasted = paste(logits, volume, region)
    assert box == region.box(volume)
    roi = region.to_roi(volume, voxels_of(box))
    truth = ndimage.map_coordinates(enlarged, roi.T, order=1, mode="nearest").reshape(pasted.shape)
    assert pasted.dtype == np.float32
    assert np.allclose(pasted, truth, atol=1e-4)


def test_only_part_of_the_box_can_be_pasted() -> None:
    volume = a_volume_of(noise, GEOMETRIES["oblique"])
    region = Region.around((15, 16, 12), 12, 2.0)
    logits = np.random.default_rng(3).normal(size=(6, 6, 6))
    box, whole = paste(logits, volume, region)
    (i0, i1), (j0, j1), (k0, _) = box
    asked = ((i0 + 2, i1 + 50), (j0 - 50, j1 - 3), (k0 + 1, k0 + 2))
    part, values = paste(logits, volume, region, asked)
    assert part == ((i0 + 2, i1), (j0, j1 - 3), (k0 + 1, k0 + 2))
    assert np.allclose(values, whole[1:2, : j1 - j0 - 3, 2:], atol=1e-5)


@given(st.data(), geometries(finest=0.6, coarsest=1.6))
def test_a_ball_drawn_in_the_region_comes_back_where_it_was(draw: st.DataObject, matrix: np.ndarray) -> None:
    volume = Volume(np.broadcast_to(np.int16(0), (160, 160, 160)), matrix, "MR")
    size, m = 32, 16
    region = Region.around(
        [draw.draw(st.floats(78, 82)) for _ in range(3)], size, draw.draw(st.sampled_from([None, 0.8, 1.5]))
    )
    centre = np.array([draw.draw(st.floats(12, 19)) for _ in range(3)])
    cells = (roi_voxels(m) + 0.5) * size / m - 0.5
    logits = (9.0 - np.linalg.norm(cells - centre, axis=1)).reshape(m, m, m).astype(np.float32)
    box, pasted = paste(logits, volume, region)
    found = voxels_of(box)[pasted.reshape(-1) > 0].mean(axis=0)
    assert np.abs(found - region.to_ijk(volume, [centre])[0]).max() < 0.5


@given(st.data(), geometries(finest=0.7, coarsest=2.0))
def test_a_ball_in_the_volume_is_found_where_the_region_says(draw: st.DataObject, matrix: np.ndarray) -> None:
    centre = np.array([15.2, 17.4, 12.1])
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)

    def a_ball(i: np.ndarray, j: np.ndarray, k: np.ndarray) -> np.ndarray:
        return np.asarray(
            np.maximum(0.0, 7.0 - np.linalg.norm((np.stack([i, j, k], axis=-1) - centre) * spacing, axis=-1))
        )

    volume = a_volume_of(a_ball, matrix)
    region = Region.around(centre + [draw.draw(st.floats(-2, 2)) for _ in range(3)], 40, 0.9)
    values = cut(volume, region)
    found = (values.reshape(-1, 1) * roi_voxels(40)).sum(axis=0) / values.sum()
    assert np.abs(found - region.to_roi(volume, [centre])[0]).max() < 0.5


# --- projecting ---


@given(st.data(), geometries())
def test_a_mask_is_projected_as_its_share_of_every_cell(draw: st.DataObject, matrix: np.ndarray) -> None:
    volume = a_volume_of(noise, matrix)
    region = draw.draw(regions(volume))
    box = ((4, 22), (9, 30), (3, 20))
    mask = np.random.default_rng(4).random((17, 21, 18)) < 0.4
    m, fine = 3, 24
    shares = project(mask, box, volume, region, m)
    whole = np.zeros(SHAPE, bool)
    whole[in_box(box)] = mask
    points = (roi_voxels(m * fine)[:: 1 if m * fine < 60 else 37] + 0.5) * region.size / (m * fine) - 0.5
    voxels = np.floor(region.to_ijk(volume, points) + 0.5).astype(int)
    within = ((voxels >= 0) & (voxels < volume.shape_ijk)).all(axis=1)
    i, j, k = np.clip(voxels, 0, np.array(volume.shape_ijk) - 1).T
    filled = whole[k, j, i] & within
    cell = np.floor((points + 0.5) * m / region.size).astype(int)
    index = cell @ (m * m, m, 1)
    truth = np.bincount(index, filled, m**3) / np.bincount(index, minlength=m**3)
    assert shares.dtype == np.float32 and shares.min() >= 0 and shares.max() <= 1 + 1e-5
    assert np.abs(shares.reshape(-1) - truth).max() < 0.15
    assert abs(shares.mean() - truth.mean()) < 0.02


def test_a_pasted_mask_projects_back_onto_its_cells() -> None:
    volume = a_volume_of(noise, ijk_to_ras(rotation(0.2, 0.1, -0.3), (1.0, 1.0, 1.0), (0, 0, 0)))
    region = Region.around((15, 17, 13), 24, None)
    logits = np.full((6, 6, 6), -4.0)
    logits[1:4, 2:4, 3:5] = 4.0
    box, pasted = paste(logits, volume, region)
    shares = project(pasted > 0, box, volume, region, 6)
    assert np.array_equal(shares > 0.4, logits > 0)
