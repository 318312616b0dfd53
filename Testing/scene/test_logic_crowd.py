"""Many hands on one segmentation: whatever order they come in, what nobody meant to change stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import hypothesis.strategies as st
import numpy as np
import slicer
from booted import Booted
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from segment_voxels import put, taken
from shapes import affine, set_transform
from stand_in_engine import StandInTransport
from volume_nodes import volume_from

from msam.errors import MsamError
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.masking import Overwrite, isHidden, isLocked
from MSAMSegmentLib.records import readRecord
from MSAMSegmentLib.scans import Scan

SHAPE_IJK = (18, 16, 14)
PLACES = st.tuples(*(st.integers(0, length - 1).map(float) for length in SHAPE_IJK))
WHICH = st.integers(0, 5)
ANGLES = st.tuples(*(st.floats(-20, 20) for _ in range(3)))

Kind = slicer.vtkSlicerSegmentationsModuleLogic


class Crowd(RuleBasedStateMachine):
    """The user of the module, Segment Editor, Transforms, and others who hide, lock and remove segments."""

    booted: Booted

    @initialize()
    def begin(self) -> None:
        self.scene = self.booted.scene
        self.scene.Clear(0)
        voxels = np.random.default_rng(1).integers(-100, 100, SHAPE_IJK[::-1]).astype(np.int16)
        volume = volume_from(self.scene, voxels, [[-1, 0, 0, 5], [0, -1, 0, 7], [0, 0, 1.5, -9], [0, 0, 0, 1]])
        self.transport = StandInTransport(3.0, 2)
        self.logic = MSAMSegmentLogic(self.transport)
        self.logic.engine.useThisComputer("python")
        self.logic.show3D(False)
        self.logic.setInputVolume(volume)
        self.logic.createSegment()
        self.node = self.logic.segmentation
        self.editor = slicer.vtkSlicerSegmentEditorLogic()
        parameters = self.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        self.editor.SetMRMLScene(self.scene)
        self.editor.SetSegmentEditorNode(parameters)
        parameters.SetAndObserveSegmentationNode(self.node)
        self.logic.addBeforeWrite(lambda _node, _segmentId: self.editor.SaveStateForUndo())

    def teardown(self) -> None:
        if hasattr(self, "logic"):
            self.logic.close()

    # Looking at it

    def snapshot(self) -> dict[str, tuple[bytes, list[Any]]]:
        """Voxels and points of all segments; points as places in the scan, so that transforms do not count."""
        scan = Scan.of(self.logic.inputVolume)
        return {
            each: (
                taken(self.node, each, SHAPE_IJK).tobytes(),
                [
                    (point["identifier"], point["positive"], *np.round(scan.toIjk(point["positionRas"]), 6))
                    for point in self.logic.points(each)
                ],
            )
            for each in self.logic.segmentIds()
        }

    def named(self, which: int) -> str:
        names = self.logic.segmentIds()
        return names[which % len(names)]

    def settle(self) -> None:
        assert self.logic.waitUntilIdle(60)
        self.transport.pump(60)  # whoever waits a moment before looking has looked

    @contextmanager
    def nobodyElseChanges(self) -> Iterator[None]:
        """What the selected segment's user does leaves others alone, unless it may take from them."""
        before, selected = self.snapshot(), self.logic.selectedSegment
        mayTake = self.logic.settings.overwrite == Overwrite.TAKE_FROM_OTHERS
        kept = [
            each
            for each in before
            if isLocked(self.node, each) or (each != selected and (isHidden(self.node, each) or not mayTake))
        ]
        with suppress(MsamError):  # refused, with words: it is locked, there is nothing to refine ...
            yield
        self.settle()
        after = self.snapshot()
        assert [each for each in kept if after[each] != before[each]] == []

    # The user of the module

    @rule(place=PLACES, positive=st.sampled_from((True, True, False)))
    def add(self, place: tuple[float, float, float], positive: bool) -> None:
        with self.nobodyElseChanges():
            self.logic.addPoint(tuple(Scan.of(self.logic.inputVolume).toWorld(place)), positive)
            self.settle()
            isSameFrame = self.node.GetTransformNodeID() == self.logic.inputVolume.GetTransformNodeID()
            if isSameFrame and positive and self.logic.settings.overwrite != Overwrite.ONLY_WHERE_ALLOWED:
                i, j, k = (int(value) for value in place)
                assert taken(self.node, self.logic.selectedSegment, SHAPE_IJK)[k, j, i]

    @rule(which=WHICH, how=st.sampled_from(("move", "flip", "remove")), place=PLACES)
    def change(self, which: int, how: str, place: tuple[float, float, float]) -> None:
        points = self.logic.points()
        if not points:
            return
        identifier = points[which % len(points)]["identifier"]
        with self.nobodyElseChanges():
            if how == "move":
                self.logic.movePoint(identifier, tuple(Scan.of(self.logic.inputVolume).toWorld(place)))
            elif how == "flip":
                self.logic.flipPoint(identifier)
            else:
                self.logic.removePoint(identifier)

    @rule(iterations=st.integers(1, 2), keeps=st.booleans(), pumps=st.integers(0, 20))
    def refine(self, iterations: int, keeps: bool, pumps: int) -> None:
        with self.nobodyElseChanges():
            self.logic.refine(iterations, preview=not keeps)
            self.transport.pump(pumps)
            self.logic.rejectRefinement()  # does nothing to one that is kept

    @rule()
    def undoAndRedo(self) -> None:
        """Redo after undo leads back, and undo then to where the first one did."""
        if not self.logic.canUndo or self.logic._work().unanswered():
            return
        before = self.snapshot()
        try:
            self.logic.undo()
        except MsamError:  # its segment is locked
            assert self.snapshot() == before
            return
        undone = self.snapshot()
        self.logic.redo()
        assert self.snapshot() == before
        self.logic.undo()
        assert self.snapshot() == undone

    @rule(which=WHICH)
    def select(self, which: int) -> None:
        before = self.snapshot()
        self.logic.selectSegment(self.named(which))
        assert self.snapshot() == before

    @rule()
    def addSegment(self) -> None:
        if len(self.logic.segmentIds()) < 3:
            self.editor.SaveStateForUndo()
            self.logic.createSegment()

    @rule(which=WHICH)
    def removeSegment(self, which: int) -> None:
        if len(self.logic.segmentIds()) > 1:
            before, gone = self.snapshot(), self.named(which)
            self.editor.SaveStateForUndo()
            self.logic.removeSegment(gone)
            assert self.snapshot() == {each: seen for each, seen in before.items() if each != gone}

    @rule(choice=st.sampled_from(list(Overwrite)), outside=st.booleans())
    def choose(self, choice: Overwrite, outside: bool) -> None:
        self.logic.settings.overwrite = choice
        self.logic.settings.editableArea = "EditAllowedOutsideAllSegments" if outside else "EditAllowedEverywhere"

    # Others

    @rule(place=PLACES, pumps=st.integers(0, 12), undoes=st.booleans())
    def interfereWithAClick(self, place: tuple[float, float, float], pumps: int, undoes: bool) -> None:
        self.transport.delay = 8
        with suppress(MsamError):
            self.logic.addPoint(tuple(Scan.of(self.logic.inputVolume).toWorld(place)))
        self.transport.pump(pumps)
        if undoes:
            self.editor.Undo()
        else:
            with suppress(MsamError):
                self.logic.undo()
        self.settle()
        self.transport.delay = 0

    @rule(goesBack=st.booleans())
    def useSlicersHistory(self, goesBack: bool) -> None:
        if goesBack:
            self.editor.Undo()
        else:
            self.editor.Redo()
        self.transport.pump(60)

    @rule(which=WHICH, corner=PLACES, paints=st.booleans(), saves=st.booleans())
    def editByHand(self, which: int, corner: tuple[float, float, float], paints: bool, saves: bool) -> None:
        name = self.named(which)
        before = self.snapshot()
        voxels = taken(self.node, name, SHAPE_IJK)
        k, j, i = (slice(int(value), int(value) + 4) for value in reversed(corner))
        voxels[k, j, i] = paints
        if saves:
            self.editor.SaveStateForUndo()
        put(self.node, name, voxels, self.logic.inputVolume)
        self.transport.pump(60)
        after = self.snapshot()
        assert [each for each in before if each != name and after[each] != before[each]] == []

    @rule(which=WHICH, hidden=st.booleans(), locked=st.booleans())
    def mark(self, which: int, hidden: bool, locked: bool) -> None:
        before, name = self.snapshot(), self.named(which)
        self.logic.setSegmentVisible(name, not hidden)
        status = Kind.Completed if locked else Kind.InProgress
        Kind.SetSegmentStatus(self.node.GetSegmentation().GetSegment(name), status)
        self.transport.pump(60)
        assert self.snapshot() == before

    @rule(angles=ANGLES, volume=st.booleans(), segmentation=st.booleans())
    def transform(self, angles: tuple[float, float, float], volume: bool, segmentation: bool) -> None:
        before = self.snapshot()
        node = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        set_transform(node, affine((1, 1, 1), angles, (2, -1, 1)))
        self.logic.inputVolume.SetAndObserveTransformNodeID(node.GetID() if volume else None)
        self.node.SetAndObserveTransformNodeID(node.GetID() if segmentation else None)
        self.transport.pump(60)
        assert self.snapshot() == before

    # What must be true

    @invariant()
    def check(self) -> None:
        """The scene's tags, the views and the logic know the same points."""
        if not hasattr(self, "editor"):
            return
        for each in self.logic.segmentIds():
            kept = [point.identifier for point in readRecord(self.node, each).points]
            assert [point["identifier"] for point in self.logic.points(each)] == kept
        shown = [point.identifier for point in self.logic._prompts.points]
        assert shown == [point["identifier"] for point in self.logic.points()]


def test_what_nobody_meant_to_change_stays_as_it_is(booted: Booted) -> None:
    Crowd.booted = booted
    booted.scene.Clear(0)
    slicer.mrmlScene = booted.scene
    run_state_machine_as_test(
        Crowd,
        settings=settings(
            max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    booted.scene.Clear(0)
