"""Windows side by side: everything is covered, smoothly, and nothing counts twice."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from geometries import GEOMETRIES, geometries
from hypothesis import given
from hypothesis import strategies as st
from session_stand_ins import noise, small_config

from msam.region import Box
from msam.session.lattice import Lattice, neighbours, overlap, share_at_voxels, share_of_cells

CONFIG = small_config()
SHAPE = (90, 70, 60)
WHOLE: Box = ((0, 90), (0, 70), (0, 60))


@pytest.mark.parametrize("spacing", [None, 1.3])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_neighbouring_windows_add_up_to_one_everywhere_without_a_step(name: str, spacing: float | None) -> None:
    volume = noise(SHAPE, GEOMETRIES[name])
    lattice = Lattice.over(volume, CONFIG, spacing, np.array([[30.0, 20, 20], [50, 40, 30]]))
    indices = lattice.indices(volume, np.array([[-0.5] * 3, np.array(SHAPE) - 0.5]))
    total = np.zeros(SHAPE[::-1], np.float32)
    for index in itertools.product(*indices):
        share = share_at_voxels(volume, lattice.window(volume, index), WHOLE)
        total += share
        for axis in range(3):
            ramp = 2.0 / 8 if spacing is None else 2.0 / (8 * spacing / volume.spacing[2 - axis])
            assert np.abs(np.diff(share, axis=axis)).max(initial=0) <= min(1.0, ramp)

    assert np.allclose(total, 1, atol=1e-5)


@given(matrix=geometries(), spacing=st.none() | st.floats(0.5, 4), corners=st.tuples(*[st.integers(0, 55)] * 6))
def test_a_lattice_laid_over_an_object_holds_it_without_the_fading_rim(
    matrix: npt.NDArray[np.float64], spacing: float | None, corners: tuple[int, ...]
) -> None:
    volume = noise(SHAPE, matrix)
    extent = np.sort(np.array(corners, dtype=np.float64).reshape(2, 3), axis=0)
    lattice = Lattice.over(volume, CONFIG, spacing, extent)

    indices = list(itertools.product(*lattice.indices(volume, extent)))

    low, high = np.ceil(extent[0]).astype(int), np.floor(extent[1]).astype(int) + 1
    (i0, i1), (j0, j1), (k0, k1) = zip(low.tolist(), high.tolist(), strict=True)
    shares = [
        share_at_voxels(volume, lattice.window(volume, index), ((i0, i1), (j0, j1), (k0, k1))) for index in indices
    ]
    assert np.allclose(np.sum(shares, axis=0), 1, atol=1e-4)


def test_windows_that_do_not_see_the_object_are_not_on_the_list() -> None:
    volume = noise(SHAPE)
    extent = np.array([[10.0, 20, 25], [80, 40, 30]])
    lattice = Lattice.over(volume, CONFIG, None, extent)
    listed = set(itertools.product(*lattice.indices(volume, extent)))

    for index in itertools.product(range(-4, 6), range(-4, 6), range(-4, 6)):
        corners = lattice.window(volume, index).to_roi(volume, extent)
        sees = bool((corners.max(axis=0) > -0.5).all() and (corners.min(axis=0) < 31.5).all())
        assert (index in listed) == sees


def test_cells_of_neighbours_lie_on_each_other() -> None:
    volume, m = noise(SHAPE, GEOMETRIES["oblique_left_handed"]), 16
    lattice = Lattice.over(volume, CONFIG, 1.0, np.array([[30.0, 20, 20], [50, 40, 30]]))
    centres = (np.arange(m) + 0.5) * 2 - 0.5
    cells = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1)
    here = lattice.window(volume, (0, 0, 0)).to_ijk(volume, cells)
    for index in neighbours((0, 0, 0)):
        there = lattice.window(volume, index).to_ijk(volume, cells)
        along = [overlap(step, m) for step in index]
        own, other = tuple(pair[0] for pair in along), tuple(pair[1] for pair in along)
        assert np.allclose(here[own], there[other])


def test_the_weights_at_cells_are_those_at_voxels() -> None:
    volume = noise(SHAPE)
    window = Lattice.over(volume, CONFIG, None, np.array([[30.0, 30, 30], [40, 40, 40]])).origin
    share = share_at_voxels(volume, window, window.box(volume))
    cells = share_of_cells(32)  # as many cells as voxels
    assert np.allclose(cells.transpose(2, 1, 0), share, atol=1e-6)
