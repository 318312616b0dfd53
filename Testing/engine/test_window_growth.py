"""Objects larger than a region of interest: no straight cuts, nothing left out."""

from __future__ import annotations

import numpy as np
import pytest
from session_stand_ins import BallPainter, TissueFinder, dice, distances, small_config, volume_with

from msam.config import ModelConfig
from msam.session.session import Session
from msam.session.state import State
from msam.session.windows import MOST_WINDOWS, deepest_cell


def finder(roi_size: int, patch_size: int, **changes: object) -> TissueFinder:
    sizes = {"name": "finder", "roi_size": roi_size, "patch_size": patch_size, "normalisation": "click", **changes}
    return TissueFinder(ModelConfig(**sizes))  # type: ignore[arg-type]


def state_of(session: Session) -> State:
    assert session.result is not None
    return State.from_bytes(session.result.state)


@pytest.mark.parametrize(
    ("network", "click"),
    [
        pytest.param(finder(64, 8), (130, 130, 130), id="clicked in the middle"),
        pytest.param(finder(64, 16), (190, 140, 110), id="clicked near a side, coarse masks"),
        pytest.param(finder(128, 16), (70, 140, 150), id="published sizes"),
    ],
)
def test_a_ball_two_hundred_voxels_wide_is_round(network: TissueFinder, click: tuple[int, int, int]) -> None:
    radii = distances((260, 260, 260), (130, 129, 131))
    session = Session(network, volume_with(radii <= 100))
    session.add_point(click)

    session.segment()

    assert dice(session.mask, radii <= 100) >= 0.98
    # A flat face of only 25 voxels across would stand off a ball of this radius by 0.8 voxels.
    wrong = session.mask ^ (radii <= 100)
    assert np.abs(radii[wrong] - 100).max() < 1.0
    assert network.decoded <= MOST_WINDOWS + 8


def test_the_surface_is_looked_at_more_closely_than_the_object_was_found() -> None:
    bumpy = distances((200, 200, 200), (100, 100, 100)) + 2.5 * np.sin(np.arange(200) * 2 * np.pi / 12) <= 70
    session = Session(finder(64, 8), volume_with(bumpy))
    session.add_point((100, 100, 100))

    session.segment()

    state = state_of(session)
    assert state.region.spacing == 4.0
    assert state.lattice is not None
    assert state.lattice.spacing == 2.0
    # Bumps of 12 voxels are lost in cells of 8 voxels, but not in the windows, whose cells have 4.
    assert dice(session.mask, bumpy) > 0.985


def test_a_second_click_on_a_large_object_encodes_nothing_again() -> None:
    network = finder(64, 8)
    session = Session(network, volume_with(distances((200, 200, 200), (100, 100, 100)) <= 80))
    session.add_point((100, 100, 100))
    session.segment()
    encoded, before = network.encoded, session.mask

    session.add_point((100, 100, 60))
    session.segment()

    assert network.encoded == encoded
    assert np.array_equal(session.mask, before)


@pytest.mark.parametrize("click", [(160, 60, 55), (40, 60, 55)])
def test_a_long_bone_is_not_cut_off(click: tuple[int, int, int]) -> None:
    bone = np.zeros((110, 120, 330), bool)
    bone[35:75, 40:80, 15:315] = True
    session = Session(finder(64, 8), volume_with(bone))
    session.add_point(click)

    session.segment()

    assert dice(session.mask, bone) >= 0.98
    assert session.mask[:, :, 15:20].any()
    assert session.mask[:, :, 310:315].any()


def test_an_object_too_thin_to_be_seen_from_afar_is_followed_window_by_window() -> None:
    vessel = np.zeros((40, 40, 200), bool)
    vessel[17:23, 17:23, 10:190] = True
    network = finder(32, 8)
    session = Session(network, volume_with(vessel))
    session.add_point((30, 20, 20))

    session.segment()

    assert dice(session.mask, vessel) >= 0.95
    assert session.mask[:, :, 180:190].any(), "far beyond the region that was looked at first"


def test_an_object_that_only_lies_off_the_click_is_looked_at_as_closely_as_if_clicked_in_its_middle() -> None:
    ball = distances((120, 120, 120), (60, 60, 60)) <= 11
    network = finder(32, 8)
    session = Session(network, volume_with(ball))
    session.add_point((52, 60, 60))

    session.segment()

    assert dice(session.mask, ball) >= 0.95
    assert state_of(session).region.spacing is None
    assert np.allclose(state_of(session).region.centre, (60, 60, 60), atol=1.5)


def test_a_positive_click_outside_the_region_moves_or_widens_it() -> None:
    shape = (150, 60, 60)
    two = (distances(shape, (30, 30, 30)) <= 8) | (distances(shape, (110, 30, 30)) <= 8)
    network = finder(32, 8)
    session = Session(network, volume_with(two))
    session.add_point((30, 30, 30))
    session.segment()
    assert dice(session.mask, distances(shape, (30, 30, 30)) <= 8) >= 0.9

    session.add_point((110, 30, 30))
    session.segment()

    assert dice(session.mask, two) >= 0.9


def test_what_was_known_is_carried_into_the_new_region() -> None:
    network = BallPainter(small_config(), radius=7, memory=1.0)
    session = Session(network, volume_with(distances((150, 60, 60), (0, 0, 0)) <= 5))
    session.add_point((40, 30, 30))
    session.segment()
    session.add_point((62, 30, 30))

    session.segment()

    state = state_of(session)
    assert state.region.spacing == 2.0, "both clicks and the mask need a wider region"
    assert session.mask[30, 30, 35:45].all(), "the ball of the first click, which this step did not see"
    assert session.mask[30, 30, 57:67].all()


def test_a_negative_click_far_away_leaves_the_region_and_the_mask_alone() -> None:
    network = BallPainter(small_config())
    session = Session(network, volume_with(distances((150, 60, 60), (0, 0, 0)) <= 5))
    session.add_point((40, 30, 30))
    session.segment()
    region, mask, decoded = state_of(session).region, session.mask, network.decoded

    session.add_point((140, 30, 30), positive=False)
    result = session.segment()

    assert (result.iterations, network.decoded) == (0, decoded)
    assert state_of(session).region == region
    assert np.array_equal(session.mask, mask)


def test_windows_see_their_own_clicks_or_one_in_the_depth_of_the_object() -> None:
    network = finder(32, 8, clicks_per_step="all")
    session = Session(network, volume_with(distances((120, 120, 120), (60, 60, 60)) <= 45))
    session.add_point((60, 60, 60))
    session.segment()
    assert all(labels == [1] for labels in network.labels)

    network.labels.clear()
    session.add_point((60, 60, 110), positive=False)
    session.segment()

    windows = network.labels[1:]
    assert network.labels[0] == [1, 0]
    assert [1, 0] in windows, "a window with a negative click alone gets a positive one beside it"
    assert all(labels[0] == 1 for labels in windows)


def test_a_window_that_answers_nonsense_does_not_harm_the_mask() -> None:
    ball = distances((200, 200, 200), (100, 100, 100)) <= 80
    network = finder(64, 8)
    answer = network.decode

    def sometimes_blind(*args: object) -> object:
        logits, quality = answer(*args)  # type: ignore[arg-type]
        return (logits - 100 if network.decoded > 4 and network.decoded % 3 == 0 else logits), quality

    network.decode = sometimes_blind  # type: ignore[method-assign, assignment]
    session = Session(network, volume_with(ball))
    session.add_point((100, 100, 100))

    session.segment()

    assert dice(session.mask, ball) >= 0.98


def test_the_deepest_cell_lies_in_the_middle_of_the_thickest_part() -> None:
    mask = np.zeros((16, 16, 16), bool)
    mask[2:13, 7:9, 7:9] = True
    mask[8:13, 5:10, 5:10] = True
    assert deepest_cell(mask) in {(9, 7, 7), (10, 7, 7)}
    assert deepest_cell(np.ones((5, 5, 5), bool)) == (2, 2, 2)
    lonely = np.zeros((4, 4, 4), bool)
    lonely[0, 3, 1] = True
    assert deepest_cell(lonely) == (0, 3, 1)
