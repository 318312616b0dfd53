"""The classical methods: on scans where they must succeed, and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from session_stand_ins import distances

from msam.clicks import Click
from msam.errors import MsamError
from msam.evaluation.baselines.random_walker import LEAST_WEIGHT, random_walker, solve
from msam.evaluation.baselines.region_growing import region_growing
from msam.evaluation.baselines.registry import BASELINES, baselines_named
from msam.evaluation.overlap import dice
from msam.volume import Volume

SPACING = (1.0, 1.5, 2.0)
SHAPE = (70, 40, 32)
LEFT, RIGHT, RADIUS = (19, 20, 16), (50, 20, 16), 13.0


def balls(*centres: tuple[int, int, int]) -> np.ndarray:
    inside = [
        sum(((axis - centre[n]) * SPACING[n]) ** 2 for n, axis in enumerate(np.ogrid[:32, :40, :70][::-1])) <= RADIUS**2
        for centre in centres
    ]
    return np.logical_or.reduce(inside)


def scan(bright: np.ndarray, noise: float = 8.0) -> Volume:
    """Bright tissue of 200 in dark one of 100, with noise."""
    rng = np.random.default_rng(0)
    voxels = np.where(bright, 200, 100) + rng.normal(0, noise, bright.shape)
    return Volume(voxels.astype(np.int16), np.diag([*SPACING, 1.0]))


@pytest.mark.parametrize("name", list(BASELINES))
def test_a_bright_ball_is_found_from_one_click(name: str) -> None:
    truth = balls(LEFT)
    assert dice(BASELINES[name](scan(truth), [Click(LEFT)]), truth) > 0.7


@pytest.mark.parametrize("name", list(BASELINES))
def test_a_second_ball_takes_a_second_click(name: str) -> None:
    volume = scan(balls(LEFT, RIGHT))
    one, both = BASELINES[name](volume, [Click(LEFT)]), BASELINES[name](volume, [Click(LEFT), Click(RIGHT)])
    assert dice(one, balls(LEFT)) > 0.7
    assert dice(both, balls(LEFT, RIGHT)) > 0.7


@pytest.mark.parametrize("name", list(BASELINES))
def test_a_negative_click_holds_back_what_runs_over(name: str) -> None:
    bridge = balls(LEFT, RIGHT)
    bridge[15:18, 18:23, 20:50] = True
    volume, truth = scan(bridge), balls(LEFT)
    without = BASELINES[name](volume, [Click(LEFT)])
    held = BASELINES[name](volume, [Click(LEFT), Click(RIGHT, positive=False)])
    assert not held[RIGHT[::-1]]
    assert dice(held, truth) >= dice(without, truth)
    assert dice(held, truth) > 0.7


@pytest.mark.parametrize("name", list(BASELINES))
def test_masks_lie_on_the_grid_of_the_scan(name: str) -> None:
    mask = BASELINES[name](scan(balls(LEFT)), [Click(LEFT)])
    assert mask.shape == SHAPE[::-1]
    assert mask.dtype == bool


@pytest.mark.parametrize("name", list(BASELINES))
def test_clicks_at_the_edge_of_a_scan_are_no_trouble(name: str) -> None:
    corner = tuple(length - 1 for length in SHAPE)
    clicks = [Click((0, 0, 0)), Click(corner, positive=False)]
    assert BASELINES[name](scan(balls(LEFT)), clicks).shape == SHAPE[::-1]


def test_region_growing_stays_away_from_a_negative_click_in_the_same_tissue() -> None:
    volume = Volume(np.where(distances((40, 40, 40), (20, 20, 20)) < 16, 200, 100).astype(np.int16), np.eye(4))
    mask = region_growing(volume, [Click((14, 20, 20)), Click((30, 20, 20), positive=False)])
    assert mask[20, 20, 14]
    assert not mask[20, 20, 24:36].any()


def test_the_random_walker_solves_its_equations() -> None:
    """Against the dense system of Grady's equation 9, solved directly."""
    rng = np.random.default_rng(3)
    image = rng.normal(size=(4, 5, 6)).astype(np.float32)
    seeds = np.full(image.shape, np.nan, np.float32)
    seeds[0, 0, 0], seeds[1, 2, 3], seeds[3, 4, 5], seeds[0, 4, 1] = 1, 1, 0, 0
    sharpness = 0.8

    nodes = list(np.ndindex(*image.shape))
    number = {node: index for index, node in enumerate(nodes)}
    laplacian = np.zeros((len(nodes), len(nodes)))
    for node in nodes:
        for axis in range(3):
            other = tuple(x + (axis == a) for a, x in enumerate(node))
            if other in number:
                weight = np.exp(-sharpness * (image[node] - image[other]) ** 2) + LEAST_WEIGHT
                a, b = number[node], number[other]
                laplacian[a, b] = laplacian[b, a] = -weight
                laplacian[a, a] += weight
                laplacian[b, b] += weight
    flat = seeds.ravel()
    free = np.isnan(flat)
    expected = flat.copy()
    expected[free] = np.linalg.solve(laplacian[np.ix_(free, free)], -laplacian[np.ix_(free, ~free)] @ flat[~free])
    np.testing.assert_allclose(solve(image, seeds, sharpness).ravel(), expected, atol=2e-3)


def test_the_random_walker_stops_halfway_in_uniform_tissue() -> None:
    seeds = np.full((3, 3, 11), np.nan, np.float32)
    seeds[:, :, 0], seeds[:, :, -1] = 1, 0
    line = solve(np.zeros((3, 3, 11), np.float32), seeds)[1, 1]
    np.testing.assert_allclose(line, np.linspace(1, 0, 11), atol=2e-3)


def test_the_random_walker_works_on_a_constant_neighbourhood() -> None:
    volume = Volume(np.zeros((12, 12, 12), np.int16), np.eye(4))
    mask = random_walker(volume, [Click((6, 6, 6))])
    assert mask[6, 6, 6]
    assert not mask[0].any()


def test_an_unknown_baseline_is_refused_with_those_there_are() -> None:
    assert list(baselines_named(["random-walker"])) == ["random-walker"]
    with pytest.raises(MsamError, match="region-growing, random-walker"):
        baselines_named(["magic"])
