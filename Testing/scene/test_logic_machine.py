"""Whatever is done to the logic, in whatever order: voxels, points and other segments are as a simple model says."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import slicer
from booted import Booted
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from logic_hands import Hands
from logic_model import Model
from segment_voxels import put, taken
from stand_in_engine import StandInTransport
from volume_nodes import volume_from

from msam.errors import MsamError, PromptError
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.points import Point

SHAPE_IJK = (18, 16, 14)
SPACING = (1.0, 1.0, 1.5)
RADIUS, NEGATIVE, STABLE = 3.0, 2.0, 2
PLACES = st.tuples(*(st.integers(0, length - 1).map(float) for length in SHAPE_IJK))
WHICH = st.integers(0, 5)


class Clicking(Hands, RuleBasedStateMachine):
    """A user with a scan, some segments, and no plan."""

    booted: Booted
    folder: Path

    @initialize()
    def begin(self) -> None:
        self.scene = self.booted.scene
        self.scene.Clear(0)
        random = np.random.default_rng(1)
        matrix = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
        matrix[:3, 3] = 5, 7, -9
        volume = volume_from(self.scene, random.integers(-100, 100, SHAPE_IJK[::-1]).astype(np.int16), matrix)
        self.transport = StandInTransport(RADIUS, STABLE)
        self.transport.service.drawing = type(self.transport.service.drawing)(RADIUS, NEGATIVE, STABLE)
        self.logic = MSAMSegmentLogic(self.transport)
        self.logic.engine.useThisComputer("python")
        self.logic.show3D(False)
        self.logic.setInputVolume(volume)
        self.model = Model(SHAPE_IJK[::-1], SPACING, RADIUS, NEGATIVE, STABLE)
        self.names: list[str] = []
        self.addSegment()

    def teardown(self) -> None:
        if hasattr(self, "logic"):
            self.logic.close()

    # What the user does

    @precondition(lambda self: len(self.names) < 3)
    @rule()
    def addSegment(self) -> None:
        name = self.logic.createSegment()
        self.names.append(name)
        self.model.add(name)

    @rule(which=WHICH)
    def select(self, which: int) -> None:
        self.logic.selectSegment(self.names[which % len(self.names)])

    @rule(place=PLACES, positive=st.sampled_from((True, True, False)))
    def add(self, place: tuple[float, float, float], positive: bool) -> None:
        self.click(place, positive)
        self.settle()

    @rule(places=st.lists(PLACES, min_size=2, max_size=3))
    def addQuickly(self, places: list[tuple[float, float, float]]) -> None:
        name = self.selected
        self.click(places[0], True)
        for place in places[1:]:
            self.click(place, True)
        points = self.segment.points
        self.segment.points = points[: len(points) - len(places) + 1]
        self.model.settle(name)
        self.segment.points = points
        self.settle()

    @rule(place=PLACES, which=WHICH)
    def addAndSwitch(self, place: tuple[float, float, float], which: int) -> None:
        name = self.selected
        self.click(place, True)
        self.logic.selectSegment(self.names[which % len(self.names)])
        self.settle(name)

    @rule(place=PLACES)
    def addAndUndo(self, place: tuple[float, float, float]) -> None:
        self.click(place, True)
        self.logic.undo()
        assert self.model.undo(self.selected)
        self.wait()

    @rule(place=PLACES, pumps=st.integers(0, 6))
    def addAndCancel(self, place: tuple[float, float, float], pumps: int) -> None:
        self.transport.delay = 3
        self.click(place, True)
        self.transport.pump(pumps)
        if self.logic.isBusy:
            self.logic.cancel()
            assert not self.logic.isBusy
            self.transport.pump(10)
            self.check()
            self.logic.retry()
        self.transport.delay = 0
        self.settle()

    @rule(place=PLACES, code=st.sampled_from(("internal", "crash", "volume-unusable")))
    def addInBadTimes(self, place: tuple[float, float, float], code: str) -> None:
        self.transport.failNext(code)
        self.click(place, True)
        self.wait()
        assert bool(self.logic.lastError) == (code != "crash")
        if code != "crash":
            self.check()
            self.logic.retry()
        self.settle()

    @precondition(lambda self: self.segment.points)
    @rule(which=WHICH, place=PLACES)
    def move(self, which: int, place: tuple[float, float, float]) -> None:
        point = self.pick(which)
        self.model.look(self.selected)
        self.logic.movePoint(point.identifier, self.world(place))
        self.change(point, (Point(point.identifier, place, point.positive),))

    @precondition(lambda self: self.segment.points)
    @rule(which=WHICH)
    def flip(self, which: int) -> None:
        point = self.pick(which)
        self.model.look(self.selected)
        self.logic.flipPoint(point.identifier)
        self.change(point, (Point(point.identifier, point.positionIjk, not point.positive),))

    @precondition(lambda self: self.segment.points)
    @rule(which=WHICH)
    def remove(self, which: int) -> None:
        point = self.pick(which)
        self.model.look(self.selected)
        self.logic.removePoint(point.identifier)
        self.change(point, ())

    @rule()
    def clear(self) -> None:
        name = self.selected
        self.model.look(name)
        self.logic.clearPoints()
        segment = self.segment
        if segment.now.mask.any() or segment.points or segment.now.base is not None:
            self.model.push(name, type(segment.now)((), np.zeros(self.model.shape, bool)))
        self.wait()

    @rule(iterations=st.integers(1, 3), choice=st.sampled_from(("", "", "accept", "reject")))
    def refine(self, iterations: int, choice: str) -> None:
        name = self.selected
        self.model.look(name)
        segment = self.segment
        if not segment.now.mask.any() and not any(point.positive for point in segment.points):
            with pytest.raises(PromptError, match="nothing to refine"):
                self.logic.refine(iterations)
            return
        self.logic.refine(iterations, preview=bool(choice))
        self.wait()
        self.model.settle(name)
        before = len(self.model.done)
        self.model.refine(name, iterations)
        steps = len(self.model.done) - before
        assert self.logic.isPreviewing == (bool(choice) and steps > 0)
        if choice == "accept":
            self.logic.acceptRefinement()
        elif choice == "reject":
            self.logic.rejectRefinement()
            for _ in range(steps):
                self.model.undo(name)
        if choice:
            assert not self.logic.isPreviewing

    @rule()
    def undo(self) -> None:
        if self.model.undo(self.selected):
            self.logic.undo()
        else:
            with pytest.raises(MsamError):
                self.logic.undo()

    @rule()
    def redo(self) -> None:
        waiting = any(set(one.points) != set(one.now.points) for one in self.model.segments.values())
        if not waiting:
            self.model.look(self.selected)
            if self.model.undone:
                self.model.look(self.model.undone[-1][0])
        if waiting or not self.model.undone:
            with pytest.raises(MsamError):
                self.logic.redo()
            return
        self.logic.redo()
        entry = self.model.undone.pop()
        self.model.done.append(entry)
        self.model.put(entry[0], entry[2])

    @rule(which=WHICH, place=PLACES, size=st.floats(1.5, 4), paints=st.booleans())
    def editByHand(self, which: int, place: tuple[float, float, float], size: float, paints: bool) -> None:
        name = self.names[which % len(self.names)]
        segment = self.model.segments[name]
        brush = self.model.ball(place, size)
        segment.voxels = segment.voxels | brush if paints else segment.voxels & ~brush
        put(self.logic.segmentation, name, segment.voxels, self.logic.inputVolume)

    @rule()
    def saveAndLoad(self) -> None:
        path = str(self.folder / "scene.mrb")
        names = [self.logic.segmentation.GetSegmentation().GetSegment(name).GetName() for name in self.names]
        assert self.scene.WriteToMRB(path)
        self.scene.Clear(0)
        assert self.logic.segmentation is None
        assert self.logic.points() == []
        assert self.scene.ReadFromMRB(path, True)
        segmentation = self.logic.segmentation.GetSegmentation()
        assert [segmentation.GetSegment(name).GetName() for name in self.names] == names
        self.model.done.clear()
        self.model.undone.clear()
        for segment in self.model.segments.values():
            segment.isKnown = False

    # What must be true

    @invariant()
    def check(self) -> None:
        """Every segment has the voxels and the points that it must have."""
        if not getattr(self, "names", None):
            return
        for name, segment in self.model.segments.items():
            found = taken(self.logic.segmentation, name, SHAPE_IJK)
            assert np.array_equal(found, segment.voxels), f"{name}: {found.sum()} voxels, not {segment.voxels.sum()}"
            points = self.logic.points(name)
            assert {point["identifier"] for point in points} == {point.identifier for point in segment.points}
            for point in points:
                expected = next(each for each in segment.points if each.identifier == point["identifier"])
                assert point["positive"] == expected.positive
                assert np.allclose(point["positionRas"], self.world(expected.positionIjk), atol=1e-6)
        waiting = any(set(one.points) != set(one.now.points) for one in self.model.segments.values())
        assert self.logic.canUndo == (bool(self.model.done) or waiting)
        assert self.logic.canRedo == (bool(self.model.undone) and not waiting)
        shown = {point["identifier"] for point in self.logic.points()}
        assert {point.identifier for point in self.logic._prompts.points} == shown


def test_voxels_points_and_other_segments_are_always_as_they_must_be(
    booted: Booted, vtk_errors: list[str], tmp_path: Path
) -> None:
    Clicking.booted, Clicking.folder = booted, tmp_path
    booted.scene.Clear(0)
    slicer.mrmlScene = booted.scene
    run_state_machine_as_test(
        Clicking,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    booted.scene.Clear(0)
