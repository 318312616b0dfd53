"""The interactive session: what a click, a correction, a hand-made mask and a cancel do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
import torch
from geometries import GEOMETRIES
from session_stand_ins import BallPainter, TissueFinder, dice, distances, noise, small_config, volume_with
from small_configs import TINY, random_network

from msam import Volume
from msam.config import ModelConfig
from msam.errors import Cancelled, CheckpointError, PromptError, StateError, VolumeError
from msam.model.model import Model
from msam.session import Point, Session
from msam.session.masks import CroppedMask
from msam.session.segmenter import MaskPrompt, Segmenter
from msam.session.state import State

SHAPE = (48, 44, 40)
CENTRE = (24, 22, 20)


def a_session(network: BallPainter | None = None, **callbacks: Callable[..., object]) -> Session:
    return Session(network or BallPainter(small_config()), noise(SHAPE), **callbacks)  # type: ignore[arg-type]


def ball(radius: float, centre: npt.ArrayLike = CENTRE) -> npt.NDArray[np.bool_]:
    return distances(SHAPE, centre) <= radius


@dataclass
class Switch:
    """Lets a run go on for a number of polls."""

    polls: int = 10**9
    words: list[str] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)

    def __call__(self) -> bool:
        self.polls -= 1
        return self.polls < 0

    def heard(self, fraction: float, words: str) -> None:
        self.fractions.append(fraction)
        self.words.append(words)


# Where the mask comes out


@pytest.mark.parametrize("spacings", [(), (1.0,), (0.8, 2.0)])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_ball_drawn_at_the_click_comes_back_at_the_click(name: str, spacings: tuple[float, ...]) -> None:
    volume = noise((90, 80, 70), GEOMETRIES[name])
    click_ijk = np.array([41.3, 37.8, 33.6])
    click_ras = (GEOMETRIES[name] @ (*click_ijk, 1))[:3]
    session = Session(BallPainter(small_config(spacings=spacings), radius=8.3), volume)
    session.add_point(click_ras, frame="ras")

    session.segment()

    k, j, i = (values.mean() for values in np.nonzero(session.mask))
    assert np.abs(np.array([i, j, k]) - click_ijk).max() <= 0.5


def test_the_mask_of_a_lesion_is_that_of_its_tissue() -> None:
    truth = ball(9)
    session = Session(TissueFinder(small_config(normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)

    result = session.segment()

    assert dice(session.mask, truth) > 0.95
    assert not result.is_empty
    assert result.quality == pytest.approx(0.9)
    assert f"{session.mask.sum():,} voxels" in result.message
    assert set(result.timings) == {"cut", "encode", "decode", "paste", "total"}


def test_a_click_at_the_very_corner_of_the_volume_works() -> None:
    for corner in ((-0.5, -0.5, -0.5), tuple(np.array(SHAPE) - 0.5)):
        session = Session(BallPainter(small_config(normalisation="click", spacings=(0.7,))), noise(SHAPE))
        session.add_point(corner)
        session.segment()
        i, j, k = np.clip(corner, 0, np.array(SHAPE) - 1).astype(int)
        assert session.mask[k, j, i]


def test_the_voxel_of_a_positive_click_belongs_to_the_mask_and_that_of_a_negative_one_does_not() -> None:
    truth = ball(9)
    session = Session(TissueFinder(small_config(normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)
    session.segment()
    before = session.mask
    # The tissue finder ignores where the clicks are, so that all it changes are these voxels.
    session.add_point((24.4, 22.2, 18.6), positive=False)
    session.add_point((36, 22, 20))
    session.segment()

    different = np.argwhere(session.mask ^ before).tolist()
    assert different == [[19, 22, 24], [20, 22, 36]]
    assert session.mask[20, 22, 36]
    session.add_point((36, 22, 20), positive=False)
    session.segment()
    assert not session.mask[20, 22, 36], "the later of two clicks on one voxel decides"


def test_an_empty_mask_is_a_result_that_says_so() -> None:
    network = BallPainter(small_config(), radius=-5.0)
    session = a_session(network)
    session.add_point(CENTRE)

    result = session.segment()

    assert result.is_empty
    assert "empty" in result.message
    assert result.box == ((0, 0), (0, 0), (0, 0))
    assert not session.mask.any()
    session.add_point((20, 20, 20))
    assert session.refine(2).is_empty


# The result


def test_the_box_and_its_voxels_turn_the_mask_before_into_the_new_one() -> None:
    session = a_session()
    mask = session.mask
    session.add_point(CENTRE)
    for act in (
        session.segment,
        lambda: (session.add_point((28, 22, 20)), session.segment())[1],
        lambda: (session.add_point((24, 20, 16), positive=False), session.segment())[1],
        session.undo,
        session.undo,
        session.redo,
    ):
        result = act()
        (i0, i1), (j0, j1), (k0, k1) = result.box
        assert (mask[k0:k1, j0:j1, i0:i1] ^ result.voxels).any()
        mask[k0:k1, j0:j1, i0:i1] = result.voxels
        assert np.array_equal(mask, session.mask)
        assert session.result is result


def test_segmenting_again_without_anything_new_changes_nothing() -> None:
    network = BallPainter(small_config())
    session = a_session(network)
    session.add_point(CENTRE)
    first, decoded = session.segment(), network.decoded

    second = session.segment()

    assert second.box == ((0, 0), (0, 0), (0, 0))
    assert (second.iterations, network.decoded, second.state) == (0, decoded, first.state)
    session.undo()
    assert not session.can_undo, "nothing was added to the history"


# Which points a step sees


@pytest.mark.parametrize(
    ("clicks_per_step", "expected"),
    [("new", [[1], [0], [1], [1], [1]]), ("all", [[1], [1, 0], [1, 0, 1], [1, 0, 1], [1, 0, 1]])],
)
def test_a_step_sees_the_points_that_training_showed_it(clicks_per_step: str, expected: list[list[int]]) -> None:
    network = BallPainter(small_config(clicks_per_step=clicks_per_step), memory=0.9)
    session = a_session(network)
    session.add_point(CENTRE)
    session.add_point((24, 22, 25), positive=False)
    session.add_point((28, 22, 20))
    session.segment()
    session.refine(2)

    assert network.labels[: len(expected)] == expected[: len(network.labels)]
    assert len(network.labels) >= 4


def test_the_second_click_costs_one_decode() -> None:
    network = BallPainter(small_config())
    session = a_session(network)
    session.add_point(CENTRE)
    session.segment()
    encoded, decoded = network.encoded, network.decoded

    session.add_point((26, 22, 20))
    session.segment()

    assert (network.encoded, network.decoded) == (encoded, decoded + 1)


@pytest.mark.parametrize("clicks_per_step", ["new", "all"])
def test_points_segmented_one_by_one_or_at_once_give_the_same_mask(clicks_per_step: str) -> None:
    clicks = [(CENTRE, True), ((24, 22, 25), False), ((30, 22, 20), True), ((20, 18, 20), True)]
    one_by_one, at_once = (
        a_session(BallPainter(small_config(clicks_per_step=clicks_per_step), memory=0.7)) for _ in range(2)
    )
    for position, positive in clicks:
        one_by_one.add_point(position, positive)
        step_by_step = one_by_one.segment()
        at_once.add_point(position, positive)

    together = at_once.segment()

    assert np.array_equal(one_by_one.mask, at_once.mask)
    assert step_by_step.state == together.state
    assert together.iterations == 4


def test_a_negative_point_placed_first_waits_for_the_positive_one() -> None:
    network = BallPainter(small_config())
    session = a_session(network)
    session.add_point((24, 22, 25), positive=False)
    with pytest.raises(PromptError, match="no positive point"):
        session.segment()
    session.add_point(CENTRE)

    session.segment()

    assert network.labels == [[1], [0]]


@pytest.mark.parametrize("change", ["move", "remove"])
def test_a_changed_point_is_as_if_it_had_never_been_elsewhere(change: str) -> None:
    session, fresh = a_session(), a_session()
    session.add_point(CENTRE)
    second = session.add_point((30, 22, 20))
    session.segment()
    session.add_point((24, 22, 25), positive=False)
    session.segment()
    encoded = session._segmenter.model.encoded  # type: ignore[attr-defined]
    fresh.add_point(CENTRE)
    if change == "move":
        session.move_point(second, (26, 22, 20))
        fresh.add_point((26, 22, 20))
    else:
        session.remove_point(second)
    fresh.add_point((24, 22, 25), positive=False)

    session.segment()
    fresh.segment()

    assert np.array_equal(session.mask, fresh.mask)
    assert session._segmenter.model.encoded == encoded  # type: ignore[attr-defined]


# Refining


def test_refining_stops_when_the_mask_no_longer_changes_and_says_how_often_it_ran() -> None:
    switch = Switch()
    session = a_session(BallPainter(small_config(), memory=0.5), progress=switch.heard)
    session.add_point(CENTRE)
    session.segment()

    result = session.refine(50)

    assert 1 <= result.iterations < 50
    assert sum(words.startswith("Refining") for words in switch.words) == result.iterations
    assert session.refine(1).iterations == 1


def test_refining_counts_every_iteration_that_changed_something() -> None:
    session = a_session(BallPainter(small_config(), memory=1.0))
    network = session._segmenter.model
    grow = network.decode

    def growing(*args: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, quality = grow(*args)
        return logits + 0.3, quality

    network.decode = growing  # type: ignore[method-assign, assignment]
    session.add_point(CENTRE)
    session.segment()
    sizes = [session.mask.sum()]
    result = session.refine(3)
    assert result.iterations == 3
    assert session.mask.sum() > sizes[0]
    session.undo()
    assert session.mask.sum() == sizes[0], "three iterations asked for at once are one step"


@pytest.mark.parametrize("iterations", [0, -1])
def test_refining_less_than_once_is_refused(iterations: int) -> None:
    session = a_session()
    session.add_point(CENTRE)
    with pytest.raises(PromptError, match="at least one"):
        session.refine(iterations)


# Masks made by hand


def test_a_hand_made_mask_is_the_current_mask_and_the_prompt_of_the_next_step() -> None:
    session = a_session(BallPainter(small_config(), radius=4, memory=1.0))
    session.add_point(CENTRE)
    session.segment()
    by_hand = ball(6, (14, 22, 20))

    session.set_mask(by_hand)
    assert np.array_equal(session.mask, by_hand)
    session.add_point((30, 22, 20))
    session.segment()

    assert dice(session.mask, by_hand | ball(4, (30, 22, 20))) > 0.9
    assert not session.mask[22, 22, 24], "what the hand removed is not decoded again"
    session.undo()
    assert np.array_equal(session.mask, by_hand)
    session.undo()
    assert session.mask[22, 22, 24]


def test_refining_a_hand_made_mask_takes_one_step_from_it() -> None:
    network = BallPainter(small_config(), radius=3, memory=1.0)
    session = a_session(network)
    session.add_point(CENTRE)
    session.segment()
    session.set_mask(ball(10))
    decoded = network.decoded

    result = session.refine(1)

    assert (result.iterations, network.decoded) == (1, decoded + 1)
    assert dice(session.mask, ball(10)) > 0.9


@pytest.mark.parametrize("clicks_per_step", ["new", "all"])
def test_a_negative_point_may_be_the_first_on_a_hand_made_mask(clicks_per_step: str) -> None:
    network = BallPainter(small_config(clicks_per_step=clicks_per_step), radius=3, memory=1.0)
    session = a_session(network)
    session.add_point((30, 22, 20), positive=False)
    session.add_point((18, 22, 20))
    session.set_mask(ball(8))
    # Both points were there before the mask, but none has been segmented.
    session.segment()

    assert network.labels[0] == [0]
    assert dice(session.mask, ball(8) & ~ball(3, (30, 22, 20)) | ball(3, (18, 22, 20))) > 0.9


def test_a_replay_starts_from_the_hand_made_mask() -> None:
    session = a_session(BallPainter(small_config(), radius=4, memory=1.0))
    session.add_point(CENTRE)
    session.segment()
    session.set_mask(ball(6, (14, 22, 20)))
    later = session.add_point((30, 22, 20))
    session.segment()
    expected = session.mask

    session.move_point(later, (30, 26, 20))
    session.segment()
    assert session.mask[20, 22, 14]
    assert session.mask[20, 26, 30]
    session.move_point(later, (30, 22, 20))
    session.segment()

    assert np.array_equal(session.mask, expected)


def test_a_hand_made_mask_larger_than_a_region_is_taken_whole() -> None:
    truth = ball(19)
    session = Session(TissueFinder(small_config(roi_size=16, patch_size=4, normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)
    session.set_mask(ball(17))

    session.segment()

    assert dice(session.mask, truth) > 0.95


@pytest.mark.parametrize(("shape", "value", "complaint"), [((3, 3, 3), 1, "shape"), (SHAPE[::-1], 0, "empty")])
def test_an_unusable_mask_prompt_is_refused(shape: tuple[int, ...], value: int, complaint: str) -> None:
    session = a_session()
    with pytest.raises(PromptError, match=complaint):
        session.set_mask(np.full(shape, value))
    assert not session.can_undo


# Going on elsewhere


def test_another_process_goes_on_from_the_bytes_as_if_it_had_been_there_all_along() -> None:
    session = a_session(BallPainter(small_config(clicks_per_step="all")))
    for position, positive in [(CENTRE, True), ((24, 22, 25), False), ((31, 25, 20), True)]:
        before = session.result
        session.add_point(position, positive)
        result = session.segment()
        elsewhere = Segmenter(BallPainter(small_config(clicks_per_step="all")))
        state = State.from_bytes(before.state) if before else None
        step = elsewhere.step(noise(SHAPE), [Point(0, p.position_ijk, p.positive) for p in session.points], state)
        assert np.array_equal(step.mask.whole(SHAPE), session.mask)
        assert step.state.to_bytes() == result.state


def test_the_mask_can_be_made_again_from_the_state_alone() -> None:
    session = a_session()
    session.add_point(CENTRE)
    result = session.segment()
    network = BallPainter(small_config())

    step = Segmenter(network).step(noise(SHAPE), session.points, State.from_bytes(result.state))

    assert np.array_equal(step.mask.whole(SHAPE), session.mask)
    assert network.decoded == 0


def test_a_state_that_does_not_fit_the_points_is_replaced_by_a_replay() -> None:
    session = a_session()
    session.add_point(CENTRE)
    stale = State.from_bytes(session.segment().state)
    points = [Point(1, (30, 22, 20))]

    step = Segmenter(BallPainter(small_config())).step(noise(SHAPE), points, stale)

    assert step.state.to_bytes() == Segmenter(BallPainter(small_config())).step(noise(SHAPE), points).state.to_bytes()


def test_the_reference_of_the_first_click_stays_that_of_the_session() -> None:
    truth = ball(9)
    session = Session(TissueFinder(small_config(normalisation="click")), volume_with(truth))
    session.add_point(CENTRE)
    session.segment()
    session.add_point((40, 22, 20))
    result = session.segment()

    assert State.from_bytes(result.state).reference == 100


def test_requests_that_do_not_fit_together_are_refused() -> None:
    segmenter = Segmenter(BallPainter(small_config()))
    points = [Point(1, CENTRE)]
    whole = CroppedMask.cropped(((0, 48), (0, 44), (0, 40)), ball(5))
    beyond = CroppedMask.cropped(((30, 78), (0, 44), (0, 40)), ball(5))
    other = Segmenter(BallPainter(small_config(name="other"))).step(noise(SHAPE), points).state
    with pytest.raises(StateError, match="other"):
        segmenter.step(noise(SHAPE), points, other)
    with pytest.raises(PromptError, match="beyond the volume"):
        segmenter.step(noise(SHAPE), points, None, MaskPrompt(beyond))
    with pytest.raises(PromptError, match="2 points as seen; there are 1"):
        segmenter.step(noise(SHAPE), points, None, MaskPrompt(whole, seen=2))
    with pytest.raises(PromptError, match="cannot be negative"):
        segmenter.step(noise(SHAPE), points, iterations=-1)


# Trouble


def test_unusable_volumes_are_refused_at_once() -> None:
    holes = np.ones((8, 8, 8), np.float32)
    holes[1, 2, 3] = np.nan
    for voxels, complaint in ((np.full((8, 8, 8), 7), "same intensity"), (holes, "NaN"), (holes * np.inf, "infinite")):
        with pytest.raises(VolumeError, match=complaint):
            Session(BallPainter(small_config()), Volume(voxels, np.eye(4)))


def test_a_volume_is_searched_for_trouble_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[Volume] = []
    monkeypatch.setattr(Volume, "check", lambda volume: checks.append(volume))
    session = a_session()
    for position in (CENTRE, (20, 20, 20)):
        session.add_point(position)
        session.segment()
    assert len(checks) == 1


def test_weights_that_answer_with_nonsense_are_reported() -> None:
    session = a_session(BallPainter(small_config(), quality=float("nan")))
    session.add_point(CENTRE)
    with pytest.raises(CheckpointError, match="no finite numbers"):
        session.segment()


def test_progress_never_goes_back_and_ends_at_one() -> None:
    switch = Switch()
    network = TissueFinder(small_config(roi_size=16, patch_size=4, normalisation="click"))
    session = Session(network, volume_with(ball(19)), progress=switch.heard)
    session.add_point(CENTRE)
    session.segment()
    session.add_point((24, 22, 24))
    for act in (session.segment, lambda: session.refine(3)):
        switch.fractions.clear()
        act()
        assert switch.fractions == sorted(switch.fractions)
        assert (switch.fractions[0], switch.fractions[-1]) == (0.0, 1.0)
    assert any(words.startswith("Looking closely: 1 of") for words in switch.words)
    assert all(words for words in switch.words)


def test_a_run_cancelled_anywhere_leaves_everything_as_it_was() -> None:
    switch = Switch()
    network = TissueFinder(small_config(roi_size=16, patch_size=4, normalisation="click"))
    session = Session(network, volume_with(ball(19)), cancelled=switch)
    session.add_point(CENTRE)
    session.segment()
    session.add_point((24, 22, 24))
    before = (session.points, session.mask.tobytes(), session.result, session.can_undo)
    session._segmenter.cache.clear()
    needed = 0
    for polls in range(0, 10_000, 5):
        switch.polls = polls
        try:
            session.segment()
        except Cancelled as error:
            assert "cancelled" in str(error)
            assert (session.points, session.mask.tobytes(), session.result, session.can_undo) == before
            session._segmenter.cache.clear()
            needed = polls
        else:
            break
    assert needed > 20, "a cancel is looked for often"
    assert session.points == before[0]


def test_a_failing_run_leaves_everything_as_it_was() -> None:
    network = BallPainter(small_config())
    session = a_session(network)
    session.add_point(CENTRE)
    session.segment()
    session.add_point((30, 22, 20))
    before = (session.points, session.mask.tobytes(), session.result, session.can_undo)
    decode, network.decode = network.decode, None  # type: ignore[method-assign, assignment]

    with pytest.raises(TypeError):
        session.segment()

    assert (session.points, session.mask.tobytes(), session.result, session.can_undo) == before
    network.decode = decode  # type: ignore[method-assign]
    assert not session.segment().is_empty


def test_a_failed_click_leaves_the_points_as_they_were() -> None:
    session = a_session()
    point = session.add_point(CENTRE)
    for act in (
        lambda: session.add_point((99, 0, 0)),
        lambda: session.move_point(point, (99, 0, 0)),
        lambda: session.remove_point(99),
    ):
        with pytest.raises(PromptError):
            act()
    assert session.points == (Point(point, CENTRE),)


def test_the_published_configuration_works_too() -> None:
    """Sizes of the published network: ROI 128, masks of 32 cells, foreground normalisation, own spacing."""
    session = Session(BallPainter(ModelConfig(), radius=10), noise((60, 60, 40), np.diag([0.7, 0.7, 3.0, 1.0])))
    session.add_point((30, 30, 20))
    assert not session.segment().is_empty


def test_the_real_network_runs_and_another_process_goes_on_from_it_exactly() -> None:
    network = random_network(TINY)

    def a_model() -> Model:
        return Model(network, torch.device("cpu"))

    session = Session(a_model(), noise(SHAPE))
    session.add_point(CENTRE)
    first = session.segment()
    session.add_point((28, 22, 20), positive=False)
    second = session.segment()

    step = Segmenter(a_model()).step(noise(SHAPE), session.points, State.from_bytes(first.state))

    assert step.state.to_bytes() == second.state
    assert np.array_equal(step.mask.whole(SHAPE), session.mask)
    assert 0 <= second.quality <= 1
