"""Clicks, drags and keys go through Slicer's own displayable managers, in views of all kinds of volumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from booted import Booted
from prompt_log import PromptLog, ijk_to_world
from views import SliceView, ThreeDView

from MSAMSegmentLib.place_mode import PlaceMode
from MSAMSegmentLib.points import Point

CENTRE = (30.0, 25.0, 20.0)


@pytest.fixture
def log(scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Iterator[PromptLog]:
    made = PromptLog(scene, volumeNode)
    yield made
    made.prompts.close()


@pytest.fixture
def ended() -> list[bool | None]:
    return []


@pytest.fixture
def mode(scene: slicer.vtkMRMLScene, log: PromptLog, ended: list[bool | None]) -> Iterator[PlaceMode]:
    made = PlaceMode(scene, log.prompts, ended.append)
    yield made
    made.close()


@pytest.fixture
def axial(booted: Booted, log: PromptLog) -> Iterator[SliceView]:
    view = SliceView(booted)
    view.show(log.scan.node, (0, 0, 0))
    yield view
    view.close()


def at(log: PromptLog, ijk: tuple[float, float, float]) -> tuple[float, float, float]:
    """The world position of voxels."""
    return tuple((ijk_to_world(log.scan.node) @ (*ijk, 1))[:3])


def test_a_click_adds_one_point_under_the_mouse(
    log: PromptLog, mode: PlaceMode, axial: SliceView, pictures: Path
) -> None:
    mode.start(True)
    axial.click((5, -4, 0))
    mode.start(False)
    axial.click((-12, 8, 0))
    assert [(told[0], told[2]) for told in log.takeTold()] == [("added", True), ("added", False)]
    for point, clicked in zip(log.points, ((5, -4, 0), (-12, 8, 0)), strict=True):
        assert np.allclose(at(log, point.positionIjk), clicked, atol=axial.millimetresPerPixel)
    axial.leave()
    assert log.seen() == log.expected()
    axial.picture(pictures / "clicks-axial.png")


def test_the_mouse_passing_through_a_view_adds_nothing(log: PromptLog, mode: PlaceMode, axial: SliceView) -> None:
    mode.start(True)
    for x in range(-10, 10, 2):
        axial.move((x, 3, 0))
    assert {sign for sign, _ in log.seen()} == {None}
    axial.leave()
    assert log.told == [] and log.seen() == set()


def test_without_place_mode_a_click_adds_nothing(log: PromptLog, mode: PlaceMode, axial: SliceView) -> None:
    axial.click((5, -4, 0))
    assert log.told == []


OBLIQUE = vtk.vtkTransform()
OBLIQUE.RotateWXYZ(25, 1, 1, 0.3)


def rotated(*spacing: float) -> np.ndarray:
    matrix = OBLIQUE.GetMatrix()
    turn = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    turn[:3, :3] = turn[:3, :3] @ np.diag(spacing)
    turn[:3, 3] = (15, -40, 60)
    return turn


GEOMETRIES = {
    "identity": np.eye(4),
    "oblique": rotated(0.8, 0.8, 2.5),
    "left-handed": rotated(-0.8, 0.9, 1.5),
}


@pytest.mark.parametrize("straighten", [False, True], ids=["anatomical", "along-the-volume"])
@pytest.mark.parametrize("moved", [False, True], ids=["still", "transformed"])
@pytest.mark.parametrize("geometry", list(GEOMETRIES))
def test_clicks_land_in_the_voxel_clicked_on(
    booted: Booted,
    scene: slicer.vtkMRMLScene,
    add_volume: Callable[..., slicer.vtkMRMLScalarVolumeNode],
    geometry: str,
    moved: bool,
    straighten: bool,
    pictures: Path,
) -> None:
    k, j, i = np.indices((40, 50, 60))
    inside = (i - 30) ** 2 + (j - 25) ** 2 + (k - 20) ** 2 < 36
    volume = add_volume((inside * 300 + (i + j) % 7 * 10).astype(np.int16), GEOMETRIES[geometry])
    if moved:
        turn = vtk.vtkTransform()
        turn.Translate(12, 5, -30)
        turn.RotateZ(35)
        turn.Scale(1.2, 1.2, 1.2)
        node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        node.SetMatrixTransformToParent(turn.GetMatrix())
        volume.SetAndObserveTransformNodeID(node.GetID())
    log = PromptLog(scene, volume)
    mode = PlaceMode(scene, log.prompts)
    views = [SliceView(booted, name, name_of) for name, name_of in (("Red", "Axial"), ("Green", "Coronal"))]
    try:
        for view, positive in zip(views, (True, False), strict=True):
            view.show(volume, at(log, CENTRE), straighten)
            mode.start(positive)
            view.click(at(log, CENTRE))
            view.leave()
            view.picture(pictures / f"clicks-{geometry}-{moved}-{straighten}-{view.node.GetName()}.png")
        assert [point.positive for point in log.points] == [True, False]
        for point, view in zip(log.points, views, strict=True):
            apart = np.subtract(at(log, point.positionIjk), at(log, CENTRE))
            assert np.linalg.norm(apart) <= 2 * view.millimetresPerPixel
            assert np.abs(np.subtract(point.positionIjk, CENTRE)).max() < 0.5
        assert log.seen() == log.expected()
    finally:
        mode.close()
        log.prompts.close()
        for view in views:
            view.close()


def test_a_refused_click_leaves_nothing_and_the_next_one_counts(
    log: PromptLog, mode: PlaceMode, axial: SliceView
) -> None:
    mode.start(True)
    log.refuses = True
    axial.click((5, -4, 0))
    assert [told[0] for told in log.takeTold()] == ["added"]
    assert log.seen() == set()
    log.refuses = False
    axial.click((5, -4, 0))
    axial.click((9, -4, 0))
    axial.leave()
    assert len(log.points) == 2 and log.seen() == log.expected()


def test_a_drag_moves_the_point_once_at_its_end(
    log: PromptLog, mode: PlaceMode, axial: SliceView, pictures: Path
) -> None:
    log.show(Point(1, CENTRE, True), Point(2, (40.0, 25.0, 20.0), False))
    axial.render()
    start, end = at(log, CENTRE), at(log, (20.0, 35.0, 20.0))
    axial.drag(start, end)
    (told,) = log.takeTold()
    assert told[:2] == ("moved", 1)
    assert np.allclose(told[2], end, atol=axial.millimetresPerPixel)
    assert log.seen() == log.expected()
    axial.picture(pictures / "drag-axial.png")


def test_an_undo_in_the_middle_of_a_drag_is_shown_at_its_end(log: PromptLog, axial: SliceView) -> None:
    first, second = Point(1, CENTRE, True), Point(2, (40.0, 25.0, 20.0), True)
    log.show(first, second)
    axial.render()
    axial.press(at(log, second.positionIjk))
    axial._send("MouseMoveEvent", axial.pixels(at(log, (44.0, 25.0, 20.0))))
    log.show(second)
    axial._send("MouseMoveEvent", axial.pixels(at(log, (48.0, 25.0, 20.0))))
    axial.release()
    (told,) = log.takeTold()
    assert told[:2] == ("moved", 2) and math.dist(log.points[0].positionIjk, (48, 25, 20)) < 0.5
    assert log.seen() == log.expected() and len(log.seen()) == 1


def test_the_delete_key_removes_the_point_under_the_mouse(log: PromptLog, axial: SliceView) -> None:
    log.show(Point(1, CENTRE, True), Point(2, (40.0, 25.0, 20.0), True), Point(3, (20.0, 25.0, 20.0), False))
    axial.render()
    axial.move(at(log, (40.0, 25.0, 20.0)))
    axial.key("Delete")
    assert log.takeTold() == [("removed", 2)]
    axial.move(at(log, (20.0, 25.0, 20.0)))
    axial.key("BackSpace")
    assert log.takeTold() == [("removed", 3)]
    assert log.seen() == log.expected() and len(log.seen()) == 1


def test_the_key_that_snaps_a_point_to_the_slice_counts_when_the_mouse_leaves_it(
    log: PromptLog, axial: SliceView
) -> None:
    log.show(Point(1, CENTRE, True))
    axial.node.JumpSliceByOffsetting(0, 0, 0.6)
    axial.render()
    axial.move(at(log, CENTRE))
    axial.key("s")
    axial.move((25, 20, 0))
    (told,) = log.takeTold()
    assert told[:2] == ("moved", 1) and told[2][2] == pytest.approx(0.6)
    log.show(Point(5, CENTRE, True))
    assert log.seen() == log.expected()


def test_a_right_click_ends_placing(
    log: PromptLog, mode: PlaceMode, axial: SliceView, ended: list[bool | None]
) -> None:
    mode.start(True)
    axial.click((5, -4, 0))
    axial.click((5, 4, 0), "Right")
    assert mode.active is None and ended == [None]
    assert len(log.points) == 1 and log.seen() == log.expected()


def test_points_taken_away_while_the_mouse_is_over_a_view_leave_no_ghost(
    log: PromptLog, mode: PlaceMode, axial: SliceView
) -> None:
    mode.start(True)
    axial.click((5, -4, 0))
    axial.click((9, -4, 0))
    axial.move((14, -4, 0))
    log.show(log.points[0])  # an undo by its keyboard shortcut
    assert log.seen() == log.expected()
    axial.click((14, -4, 0))
    axial.move((15, -4, 0))
    axial.leave()
    assert len(log.points) == 2 and log.seen() == log.expected()


def test_clicks_in_the_3d_view_land_on_the_surface_seen_there(
    booted: Booted, scene: slicer.vtkMRMLScene, log: PromptLog, mode: PlaceMode, pictures: Path
) -> None:
    ball = vtk.vtkSphereSource()
    ball.SetRadius(12)
    ball.SetThetaResolution(64)
    ball.SetPhiResolution(64)
    ball.Update()
    model = scene.AddNewNodeByClass("vtkMRMLModelNode")
    model.SetAndObservePolyData(ball.GetOutput())
    model.CreateDefaultDisplayNodes()
    view = ThreeDView(booted)
    try:
        view.fit()
        mode.start(True)
        view.click((3, 0, 4))
        view.leave()
        (point,) = log.points
        assert np.linalg.norm(at(log, point.positionIjk)) == pytest.approx(12, abs=0.3)
        assert log.seen() == log.expected()
        mode.stop()
        here = at(log, point.positionIjk)
        view.render()
        view.drag(here, np.add(here, (4, 0, 0)))
        assert [told[0] for told in log.takeTold()] == ["added", "moved"]
        assert log.seen() == log.expected()
        view.picture(pictures / "clicks-3d.png")
    finally:
        view.close()


def test_closing_the_scene_under_the_mouse_ends_placing_without_a_word_about_points(
    scene: slicer.vtkMRMLScene, log: PromptLog, mode: PlaceMode, axial: SliceView, ended: list[bool | None]
) -> None:
    mode.start(True)
    axial.click((5, -4, 0))
    axial.move((9, -4, 0))
    log.takeTold()
    scene.Clear(0)
    assert log.told == [] and ended == [None]
