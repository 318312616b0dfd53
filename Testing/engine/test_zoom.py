"""The rules that place regions of interest."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from geometries import geometries
from hypothesis import given
from hypothesis import strategies as st
from session_stand_ins import TissueFinder, dice, distances, noise, small_config, volume_with

from msam.normalisation import fill_value
from msam.region import Region, cut
from msam.session import zoom
from msam.session.answer import Answer
from msam.session.session import Session

M = 16


def answers(*qualities: float, empty: tuple[int, ...] = ()) -> list[Answer]:
    """One answer per quality, fine to coarse; those whose numbers are given are empty."""
    logits = [np.full((M, M, M), -1.0 if number in empty else 1.0, np.float32) for number in range(len(qualities))]
    regions = [Region(32, (0.0, 0.0, 0.0), float(number + 1)) for number in range(len(qualities))]
    return [Answer(*each) for each in zip(regions, logits, qualities, strict=True)]


def cells(*indices: tuple[int, int, int]) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    logits = np.full((M, M, M), -1.0, np.float32)
    for index in indices:
        logits[index] = 1.0
    return logits


@pytest.mark.parametrize(
    ("qualities", "empty", "chosen"),
    [
        ((0.5, 0.9, 0.7), (), 1),
        ((0.89, 0.9, 0.7), (), 0),
        ((0.85, 0.9, 0.91), (), 1),
        ((0.8, 0.8, 0.8), (), 0),
        ((0.9, 0.4), (0,), 1),
        ((0.9, 0.4), (0, 1), 0),
    ],
)
def test_the_best_quality_wins_and_near_ties_go_to_the_finer(
    qualities: tuple[float, ...], empty: tuple[int, ...], chosen: int
) -> None:
    offered = answers(*qualities, empty=empty)
    assert zoom.choose(offered) is offered[chosen]


@pytest.mark.parametrize(
    ("sees_mask", "before", "after", "kept"),
    [
        (True, 0.7, 0.8, True),
        (True, 0.7, 0.72, False),  # less than the prediction is off by
        (True, 0.7, 0.6, False),
        (True, zoom.UNJUDGED, -0.5, True),  # of a mask given by hand the model has not said anything yet
        (True, 0.0, 0.01, False),  # of a bad mask it has
        (False, 0.7, 0.6, True),  # a head that does not see the mask cannot judge it
    ],
)
def test_a_refinement_is_kept_when_the_predicted_quality_clearly_rises(
    sees_mask: bool, before: float, after: float, kept: bool
) -> None:
    config = small_config(quality_sees_mask=sees_mask)
    assert zoom.is_worth_keeping(config, *answers(before, after)) is kept


def test_the_ladder_starts_with_the_models_spacings_and_ends_where_all_is_covered() -> None:
    volume = noise((300, 200, 100), np.diag([0.5, 0.5, 2.0, 1.0]))  # at most 200 mm long
    assert zoom.ladder(volume, small_config()) == (None, 1.0, 2.0, 4.0, 8.0, 16.0)
    assert zoom.ladder(volume, small_config(spacings=(1.0, 3.0))) == (1.0, 3.0, 6.0, 12.0, 24.0)
    assert zoom.ladder(noise((8, 8, 8)), small_config()) == (None,)


@given(matrix=geometries(), shape=st.tuples(*[st.integers(2, 60)] * 3), share=st.tuples(*[st.floats(0, 1)] * 3))
def test_the_coarsest_region_covers_the_volume_from_every_click(
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    shape: tuple[int, int, int],
    share: tuple[float, float, float],
) -> None:
    volume = noise(shape, matrix)
    click = np.asarray(share) * shape - 0.5

    regions = zoom.first_regions(volume, small_config(spacings=(0.7, 1.4)), click)

    whole = tuple((0, length) for length in shape)
    assert regions[-1].box(volume) == whole
    assert all(region.box(volume) != whole for region in regions[:-1]), "none is coarser than need be"
    assert not zoom.touches_border(volume, regions[-1], np.ones((M, M, M), np.float32))


def test_a_mask_touches_only_where_its_region_ends_inside_the_volume() -> None:
    volume = noise((100, 100, 100))
    middle = Region.around((50, 50, 50), 32, None)
    corner = Region.around((10, 50, 50), 32, None)  # sticks out of the volume at low i, which is R

    for axis, side in itertools.product(range(3), (0, M - 1)):
        at_side = [M // 2] * 3
        at_side[axis] = side
        r, a, s = at_side
        assert zoom.touches_border(volume, middle, cells((r, a, s)))
        assert zoom.touches_border(volume, corner, cells((r, a, s))) == ((axis, side) != (0, 0))
    assert not zoom.touches_border(volume, middle, cells((1, 1, 1), (M - 2, M - 2, M - 2)))
    assert not zoom.touches_border(volume, corner, cells((1, 0, 5))), "a cell beyond the volume holds nothing"


def test_a_mask_that_fills_a_small_volume_does_not_touch() -> None:
    volume = noise((20, 20, 20))
    region = Region.around((10, 10, 10), 32, None)
    assert not zoom.touches_border(volume, region, np.ones((M, M, M), np.float32))


def test_a_point_needs_room_around_it_except_at_the_end_of_the_volume() -> None:
    volume = noise((100, 100, 100))
    region = Region.around((16, 50, 50), 32, None)  # covers i from 0 to 31, all of them inside the volume
    assert zoom.well_inside(volume, region, (0, 50, 50))
    assert not zoom.well_inside(volume, region, (30.5, 50, 50))
    assert not zoom.well_inside(volume, region, (10, 34, 50))
    assert zoom.well_inside(volume, region, (10, 37, 50))


@given(
    matrix=geometries(finest=0.5, coarsest=2.0),
    corners=st.lists(st.tuples(*[st.integers(0, 59)] * 3), min_size=1, max_size=5),
)
def test_the_finest_holding_region_holds_everything_and_no_finer_one_would(
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]], corners: list[tuple[int, int, int]]
) -> None:
    volume, config = noise((60, 60, 60), matrix), small_config(spacings=(1.0, 2.0))
    positions = np.array(corners, dtype=np.float64)
    rungs = zoom.ladder(volume, config)

    region = zoom.finest_holding(volume, config, positions, rungs[0])

    assert all(zoom.well_inside(volume, region, position) for position in positions)
    finer = rungs[: rungs.index(region.spacing)]
    assert all(zoom.holding(volume, config, spacing, positions) is None for spacing in finer)


def test_windows_are_wanted_only_for_what_one_finer_region_cannot_hold() -> None:
    volume, config = noise((120, 120, 120)), small_config(spacings=(1.0,))
    coarse = Region.around((60, 60, 60), 32, 4.0)
    small, large = np.array([[50.0] * 3, [80.0] * 3]), np.array([[10.0] * 3, [110.0] * 3])

    assert zoom.finer_for_windows(volume, config, coarse, small) == ()
    assert zoom.finer_for_windows(volume, config, coarse, large) == (1.0, 2.0)
    assert zoom.finer_for_windows(volume, config, Region.around((60, 60, 60), 32, 1.0), large) == ()


def test_a_model_trained_at_several_spacings_looks_once_at_what_one_of_them_holds() -> None:
    volume, config = noise((120, 120, 120)), small_config(spacings=(1.0, 2.0))
    large = np.array([[10.0] * 3, [110.0] * 3])

    assert zoom.finer_for_windows(volume, config, Region.around((60, 60, 60), 32, 2.0), large) == ()
    assert zoom.finer_for_windows(volume, config, Region.around((60, 60, 60), 32, 4.0), large) == (1.0, 2.0)


def test_a_window_that_forgets_most_of_the_object_is_not_trusted() -> None:
    known = cells(*[(cell, 5, 5) for cell in range(10)])
    assert zoom.trusted(known, cells(*[(cell, 5, 5) for cell in range(4, 16)]))
    assert not zoom.trusted(known, cells(*[(cell, 5, 5) for cell in range(6, 16)]))


def test_a_nodule_of_five_millimetres_is_several_voxels_wide_in_the_chosen_region() -> None:
    spacing = np.array([0.7, 0.7, 1.25])
    centre = np.array([60.0, 60.0, 30.0])
    along = [(np.arange(n) - c) * step for n, c, step in zip((120, 120, 60), centre, spacing, strict=True)]
    radii = np.sqrt(along[2][:, None, None] ** 2 + along[1][:, None] ** 2 + along[0] ** 2)
    volume = volume_with(radii <= 2.5, np.diag([*spacing, 1.0]))
    config = small_config(normalisation="click", spacings=(0.75, 1.5, 3.0))
    session = Session(TissueFinder(config), volume)
    session.add_point(centre)

    session.segment()

    state = session._history.now.state
    assert state is not None
    nodule = cut(volume, state.region, fill_value(volume, config)) > 50
    assert np.ptp(np.nonzero(nodule), axis=1).min() + 1 >= 6
    assert dice(session.mask, radii <= 2.5) > 0.7


def test_of_several_fitting_zooms_the_one_with_the_best_predicted_quality_is_taken() -> None:
    volume = volume_with(distances((100, 100, 100), (50, 50, 50)) <= 6)
    config = small_config(normalisation="click", spacings=(1.0, 2.0, 4.0))
    wide_views_are_best = TissueFinder(config, quality=lambda roi: 1.0 if (roi > -0.1).float().mean() < 1e-3 else 0.0)
    session = Session(wide_views_are_best, volume)
    session.add_point((50, 50, 50))

    session.segment()

    state = session._history.now.state
    assert state is not None
    assert state.region.spacing == 4.0
    assert wide_views_are_best.encoded == 3, "all that the configuration offers are looked at"


def test_with_one_spacing_the_view_widens_only_when_the_mask_touches() -> None:
    config = small_config(normalisation="click", spacings=(1.0,))
    for radius, spacing in ((8, 1.0), (20, 2.0)):
        volume = volume_with(distances((90, 90, 90), (45, 45, 45)) <= radius)
        network = TissueFinder(config)
        session = Session(network, volume)
        session.add_point((45, 45, 45))
        session.segment()
        state = session._history.now.state
        assert state is not None
        assert state.region.spacing == spacing
        assert (network.encoded == 1) == (spacing == 1.0)
