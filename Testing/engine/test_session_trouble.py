"""The interactive session: what is refused, cancelled or fails leaves everything as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from session_stand_ins import (
    CENTRE,
    SHAPE,
    BallPainter,
    Switch,
    TissueFinder,
    a_session,
    ball,
    noise,
    small_config,
    volume_with,
)
from small_configs import TINY, random_network

from msam import Volume
from msam.config import ModelConfig
from msam.errors import Cancelled, CheckpointError, PromptError, VolumeError
from msam.model.model import Model
from msam.session import Point, Session
from msam.session.segmenter import Segmenter
from msam.session.state import State


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
