"""Surfaces that follow when the user pauses."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import slicer
import vtk
from booted import Booted
from drawn_segments import segmentation_on
from shapes import ball
from stand_in_engine import StandInTransport
from views import ThreeDView
from volume_nodes import volume_from
from vtk.util.numpy_support import vtk_to_numpy

from msam.protocol.masks import Mask
from MSAMSegmentLib.segments import readMask, writeMask
from MSAMSegmentLib.surfaces import SURFACE, IdleSurfaces

Node = slicer.vtkMRMLSegmentationNode


@pytest.fixture
def transport() -> StandInTransport:
    return StandInTransport()


@pytest.fixture
def surfaces(transport: StandInTransport) -> Iterator[IdleSurfaces]:
    surfaces = IdleSurfaces(transport, idleSeconds=0.4)
    yield surfaces
    surfaces.close()


@pytest.fixture
def node(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Node:
    node = segmentation_on(volumeNode, 2)
    write(node, "s0", at(20))
    write(node, "s1", at(40))
    return node


def at(i: int) -> Mask:
    return ball((60, 50, 40), (i, 25, 20), 6, np.diag([1.0, 1, 2, 1]))


def write(node: Node, segment_id: str, mask: Mask) -> None:
    writeMask(node, segment_id, readMask(node, segment_id), mask)


def middle(node: Node, segment_id: str) -> float | None:
    """Where the surface of a segment is along i; the first axis of the scan runs from 30 downwards."""
    surface = node.GetSegmentation().GetSegment(segment_id).GetRepresentation(SURFACE)
    if surface is None or not surface.GetNumberOfPoints():
        return None
    low, high = surface.GetBounds()[:2]
    return 30 - (low + high) / 2


def pause(transport: StandInTransport, seconds: float) -> None:
    transport.runUntil(lambda: False, seconds)


def test_the_surface_is_made_and_taken_away(surfaces: IdleSurfaces, node: Node) -> None:
    assert not surfaces.isShown3D(node)
    surfaces.show3D(node, True)
    assert surfaces.isShown3D(node)
    assert node.GetDisplayNode().GetVisibility3D()
    assert middle(node, "s0") == pytest.approx(20, abs=0.5)
    assert middle(node, "s1") == pytest.approx(40, abs=0.5)
    surfaces.show3D(node, False)
    assert not surfaces.isShown3D(node)
    assert middle(node, "s0") is None


def test_while_writing_goes_on_the_old_surface_stays_and_in_a_pause_the_new_one_comes(
    surfaces: IdleSurfaces, transport: StandInTransport, node: Node
) -> None:
    surfaces.show3D(node, True)
    untouched = node.GetSegmentation().GetSegment("s1").GetRepresentation(SURFACE)
    for i in (22, 24, 26):
        with surfaces.writing(node, "s0"):
            write(node, "s0", at(i))
        assert middle(node, "s0") == pytest.approx(20, abs=0.5)
        pause(transport, 0.3)
    assert middle(node, "s0") == pytest.approx(20, abs=0.5)
    pause(transport, 0.2)
    assert middle(node, "s0") == pytest.approx(26, abs=0.5)
    assert node.GetSegmentation().GetSegment("s1").GetRepresentation(SURFACE) is untouched


def test_no_surface_is_made_where_none_was_wanted(
    surfaces: IdleSurfaces, transport: StandInTransport, node: Node
) -> None:
    with surfaces.writing(node, "s0"):
        write(node, "s0", at(26))
    surfaces.touched(node)
    pause(transport, 1)
    assert middle(node, "s0") is None


def test_3d_that_was_wanted_before_there_were_segments_comes_with_the_first_one(
    surfaces: IdleSurfaces, transport: StandInTransport, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    node = segmentation_on(volumeNode, 0)
    surfaces.show3D(node, True)
    assert surfaces.isShown3D(node)
    node.GetSegmentation().AddEmptySegment("s0")
    with surfaces.writing(node, "s0"):
        write(node, "s0", at(26))
    surfaces.touched(node)
    pause(transport, 1)
    assert middle(node, "s0") == pytest.approx(26, abs=0.5)


def test_a_segment_that_is_added_later_gets_its_surface(
    surfaces: IdleSurfaces, transport: StandInTransport, node: Node
) -> None:
    surfaces.show3D(node, True)
    node.GetSegmentation().AddEmptySegment("s2")
    with surfaces.writing(node, "s2"):
        write(node, "s2", at(30))
    pause(transport, 1)
    assert middle(node, "s2") == pytest.approx(30, abs=0.5)


def test_3d_switched_off_by_others_stays_off(surfaces: IdleSurfaces, transport: StandInTransport, node: Node) -> None:
    surfaces.show3D(node, True)
    with surfaces.writing(node, "s0"):
        write(node, "s0", at(26))
    node.RemoveClosedSurfaceRepresentation()
    pause(transport, 1)
    assert not surfaces.isShown3D(node)
    assert middle(node, "s0") is None


def test_3d_switched_on_by_others_is_kept_up_to_date(
    surfaces: IdleSurfaces, transport: StandInTransport, node: Node
) -> None:
    node.CreateClosedSurfaceRepresentation()
    with surfaces.writing(node, "s1"):
        write(node, "s1", at(45))
    pause(transport, 1)
    assert middle(node, "s1") == pytest.approx(45, abs=0.5)


def test_a_write_that_fails_leaves_the_surface_in_view(surfaces: IdleSurfaces, node: Node) -> None:
    surfaces.show3D(node, True)
    with pytest.raises(ValueError, match="broken"), surfaces.writing(node, "s0"):
        raise ValueError("broken")
    assert middle(node, "s0") == pytest.approx(20, abs=0.5)


def test_what_waits_is_made_at_once_when_asked(surfaces: IdleSurfaces, node: Node) -> None:
    surfaces.show3D(node, True)
    with surfaces.writing(node, "s0"):
        write(node, "s0", at(26))
    surfaces.rebuild()
    assert middle(node, "s0") == pytest.approx(26, abs=0.5)


@pytest.mark.parametrize("removing", ["segment", "node", "scene"])
def test_what_is_removed_while_surfaces_wait_is_forgotten(
    scene: slicer.vtkMRMLScene, surfaces: IdleSurfaces, transport: StandInTransport, node: Node, removing: str
) -> None:
    surfaces.show3D(node, True)
    with surfaces.writing(node, "s0"):
        write(node, "s0", at(26))
    weak = vtk.vtkWeakReference()
    weak.Set(node.GetSegmentation().GetSegment("s0").GetRepresentation(SURFACE))
    remove: dict[str, Callable[[], None]] = {
        "segment": lambda: node.GetSegmentation().RemoveSegment("s0"),
        "node": lambda: scene.RemoveNode(node),
        "scene": lambda: scene.Clear(0),
    }
    remove[removing]()
    pause(transport, 1)
    gc.collect()
    if removing == "segment":
        assert weak.Get() is None
    surfaces.touched(node)
    pause(transport, 1)


def test_the_surface_never_leaves_the_view(
    booted: Booted, surfaces: IdleSurfaces, transport: StandInTransport, node: Node
) -> None:
    view = ThreeDView(booted, "1")
    try:
        colour(node, "s0", (1, 0, 0))
        colour(node, "s1", (0, 0, 1))
        surfaces.show3D(node, True)
        view.fit()  # the camera may stand where another test has left it
        first = red_pixels(view)
        with surfaces.writing(node, "s0"):
            write(node, "s0", ball((60, 50, 40), (20, 25, 20), 11, np.diag([1.0, 1, 2, 1])))
        assert red_pixels(view) == first > 0
        pause(transport, 1)
        assert red_pixels(view) > 2 * first
    finally:
        view.close()


def colour(node: Node, segment_id: str, rgb: tuple[float, float, float]) -> None:
    node.GetSegmentation().GetSegment(segment_id).SetColor(*rgb)


def red_pixels(view: ThreeDView) -> int:
    view.render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(view.window)
    grab.Update()
    pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).astype(int)
    return int(np.sum(pixels[:, 0] > pixels[:, 1:].max(axis=1) + 60))


def test_what_waits_for_a_segmentation_is_forgotten_with_it(surfaces: IdleSurfaces, scene: slicer.vtkMRMLScene) -> None:
    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    surfaces.show3D(empty, True)
    assert surfaces.isShown3D(empty)
    surfaces.forget(empty)
    scene.Clear(0)
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert other.GetID() == "vtkMRMLSegmentationNode1"  # as the one before
    assert not surfaces.isShown3D(other)


def test_surfaces_come_in_the_scene_that_they_are_of(vtk_errors: list[str], transport: StandInTransport) -> None:
    scene = slicer.vtkMRMLScene()
    surfaces = IdleSurfaces(transport, scene=scene)
    node = segmentation_on(volume_from(scene, np.zeros((40, 50, 60), np.int16), np.diag([1.0, 1, 2, 1])))
    write(node, "s0", at(20))
    surfaces.show3D(node, True)
    assert middle(node, "s0") is not None
    scene.Clear(1)
