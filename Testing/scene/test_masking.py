"""What becomes of other segments, and where a segment may change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import slicer
from drawn_segments import segmentation_on, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import affine, occupancy
from vtk.util.numpy_support import vtk_to_numpy

from msam.errors import VolumeError
from msam.protocol.masks import EMPTY, Box, Mask, cropped
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import oriented_image
from MSAMSegmentLib.masking import Overwrite, WriteOptions, isHidden, isLocked
from MSAMSegmentLib.segments import readMask, segmentationGrid, writeMask

AddVolume = Callable[..., slicer.vtkMRMLScalarVolumeNode]
Node = slicer.vtkMRMLSegmentationNode
Bools = npt.NDArray[np.bool_]
SHAPE = (14, 12, 10)
WHOLE: Box = ((0, 14), (0, 12), (0, 10))
LOGIC = slicer.vtkSlicerSegmentationsModuleLogic
TAKE = WriteOptions(Overwrite.TAKE_FROM_OTHERS)
AREAS = [
    Node.EditAllowedEverywhere,
    Node.EditAllowedInsideAllSegments,
    Node.EditAllowedInsideVisibleSegments,
    Node.EditAllowedOutsideAllSegments,
    Node.EditAllowedOutsideVisibleSegments,
    Node.EditAllowedInsideSingleSegment,
]
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def volume(add_volume: AddVolume) -> slicer.vtkMRMLScalarVolumeNode:
    voxels = np.random.default_rng(7).integers(-50, 50, SHAPE[::-1]).astype(np.int16)
    return add_volume(voxels, affine((0.7, 0.9, 2.5), (20, -35, 70), (12, -80, 33), flip=True))


@pytest.fixture
def node(volume: slicer.vtkMRMLScalarVolumeNode) -> Node:
    """Four segments of noise, of which s2 is hidden and s3 is completed; all of them overlap."""
    node = segmentation_on(volume, 4)
    node.CreateDefaultDisplayNodes()
    for number in range(4):
        writeMask(node, f"s{number}", EMPTY, noise(number))
    node.GetDisplayNode().SetSegmentVisibility("s2", False)
    LOGIC.SetSegmentStatus(node.GetSegmentation().GetSegment("s3"), LOGIC.Completed)
    return node


def noise(seed: int, density: float = 0.5) -> Mask:
    return cropped(np.random.default_rng(seed).random(SHAPE[::-1]) < density)


def others_than(node: Node, segment_id: str) -> list[tuple[object, ...]]:
    return [stored(node, f"s{number}") for number in range(4) if f"s{number}" != segment_id]


def test_others_are_kept_unless_asked_otherwise(node: Node) -> None:
    before = others_than(node, "s0")
    written = writeMask(node, "s0", readMask(node, "s0"), noise(9))
    np.testing.assert_array_equal(written.whole(SHAPE), noise(9).whole(SHAPE))
    assert others_than(node, "s0") == before


def test_voxels_are_taken_from_others_but_not_from_hidden_or_locked_ones(node: Node) -> None:
    untouched = [stored(node, "s2"), stored(node, "s3")]
    mine, theirs = readMask(node, "s0").whole(SHAPE), readMask(node, "s1").whole(SHAPE)
    after = noise(9).whole(SHAPE)
    told = {}
    written = writeMask(
        node, "s0", cropped(mine), cropped(after), TAKE, onTaken=lambda one, was, now: told.update({one: (was, now)})
    )
    np.testing.assert_array_equal(written.whole(SHAPE), after)
    expected = theirs & ~(after & ~mine)
    np.testing.assert_array_equal(readMask(node, "s1").whole(SHAPE), expected)
    assert [stored(node, "s2"), stored(node, "s3")] == untouched
    assert list(told) == ["s1"]
    np.testing.assert_array_equal(told["s1"][0].whole(SHAPE), theirs)
    np.testing.assert_array_equal(told["s1"][1].whole(SHAPE), expected)


def test_nobody_is_told_of_segments_that_lose_nothing(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    node = segmentation_on(volume, 2)
    writeMask(node, "s1", EMPTY, Mask(((0, 3), (0, 3), (0, 3)), np.ones((3, 3, 3), np.bool_)))
    before = stored(node, "s1")
    told: list[str] = []
    grown = Mask(((3, 6), (3, 6), (3, 6)), np.ones((3, 3, 3), np.bool_))
    writeMask(node, "s0", EMPTY, grown, TAKE, onTaken=lambda one, was, now: told.append(one))
    assert not told
    assert stored(node, "s1") == before


def test_without_a_display_nothing_is_hidden(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    node = segmentation_on(volume, 2)
    assert node.GetDisplayNode() is None
    assert not isHidden(node, "s1")
    writeMask(node, "s1", EMPTY, noise(1))
    writeMask(node, "s0", EMPTY, noise(2), TAKE)
    assert not (readMask(node, "s1").whole(SHAPE) & noise(2).whole(SHAPE)).any()


def test_a_completed_segment_is_not_written(node: Node) -> None:
    before = [stored(node, "s3"), *others_than(node, "s3")]
    assert isLocked(node, "s3")
    assert not isLocked(node, "s0")
    for options in (WriteOptions(), TAKE, WriteOptions(Overwrite.ONLY_WHERE_ALLOWED)):
        with pytest.raises(SceneError, match="marked as completed"):
            writeMask(node, "s3", readMask(node, "s3"), EMPTY, options)
    assert [stored(node, "s3"), *others_than(node, "s3")] == before


def test_writing_marks_a_segment_as_begun(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    node = segmentation_on(volume)
    segment = node.GetSegmentation().GetSegment("s0")
    assert LOGIC.GetSegmentStatus(segment) == LOGIC.NotStarted
    writeMask(node, "s0", EMPTY, noise(1))
    assert LOGIC.GetSegmentStatus(segment) == LOGIC.InProgress


def editable_by_slicer(node: Node, area: int) -> Bools:
    """What Slicer itself lets Segment Editor paint when s0 is selected and s1 is the segment to stay in."""
    around, blocked = (
        oriented_image(np.zeros(SHAPE[::-1], np.uint8), segmentationGrid(node), WHOLE),
        slicer.vtkOrientedImageData(),
    )
    assert node.GenerateEditMask(blocked, area, around, "s0", "s1")
    return vtk_to_numpy(blocked.GetPointData().GetScalars()).reshape(SHAPE[::-1]) == 0


@few
@given(
    area=st.sampled_from(AREAS),
    intensities=st.none() | st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
    corner=st.tuples(*[st.integers(0, 8)] * 3),
    seed=st.integers(0, 99),
)
def test_a_segment_changes_only_where_it_may(
    node: Node,
    volume: slicer.vtkMRMLScalarVolumeNode,
    area: int,
    intensities: tuple[float, float] | None,
    corner: tuple[int, int, int],
    seed: int,
) -> None:
    options = WriteOptions(Overwrite.ONLY_WHERE_ALLOWED, area, "s1", intensities)
    before = readMask(node, "s0").whole(SHAPE)
    after = before.copy()
    i, j, k = corner
    after[k:, j:, i:] = noise(seed).whole(SHAPE)[k:, j:, i:]
    allowed = editable_by_slicer(node, area)
    if intensities is not None:
        voxels = slicer.util.arrayFromVolume(volume)
        allowed = allowed & (voxels >= intensities[0]) & (voxels <= intensities[1])
    others = others_than(node, "s0")
    written = writeMask(node, "s0", cropped(before), cropped(after), options, volume)
    np.testing.assert_array_equal(written.whole(SHAPE), np.where(allowed, after, before))
    assert others_than(node, "s0") == others


def test_intensities_of_a_volume_on_another_grid_are_interpolated(
    node: Node, volume: slicer.vtkMRMLScalarVolumeNode, add_volume: AddVolume
) -> None:
    coarse = affine((1.5, 1.5, 3), (10, 5, 0), (8, -82, 30))
    bright = np.zeros((16, 16, 16), np.bool_)
    bright[4:, 2:, :9] = True
    other = add_volume((bright * 100).astype(np.int16), coarse)
    k, j, i = np.indices(SHAPE[::-1])
    own = segmentationGrid(node).ijkToRas
    world = np.stack([i, j, k], axis=-1).reshape(-1, 3) @ own[:3, :3].T + own[:3, 3]
    places = (world - coarse[:3, 3]) @ np.linalg.inv(coarse[:3, :3]).T
    inside = np.all((places >= 0) & (places <= 15), axis=1).reshape(SHAPE[::-1])
    outside = np.any((places < -0.5) | (places > 15.5), axis=1).reshape(SHAPE[::-1])
    shares = occupancy(bright, places).reshape(SHAPE[::-1])
    assert inside.any()
    assert outside.any()
    options = WriteOptions(Overwrite.ONLY_WHERE_ALLOWED, intensityRange=(60, 200))
    written = writeMask(node, "s0", readMask(node, "s0"), cropped(np.ones(SHAPE[::-1])), options, other).whole(SHAPE)
    before = noise(0).whole(SHAPE)
    sure = inside & (np.abs(shares - 0.6) > 1e-4)
    np.testing.assert_array_equal(written[sure], (before | (shares >= 0.6))[sure])
    np.testing.assert_array_equal(written[outside], before[outside])


def test_what_is_missing_for_masking_is_said_before_anything_is_written(node: Node) -> None:
    before = [stored(node, f"s{number}") for number in range(4)]
    gone = WriteOptions(Overwrite.ONLY_WHERE_ALLOWED, Node.EditAllowedInsideSingleSegment, "gone")
    with pytest.raises(SceneError, match="segment to stay in"):
        writeMask(node, "s0", readMask(node, "s0"), EMPTY, gone)
    bright = WriteOptions(Overwrite.ONLY_WHERE_ALLOWED, intensityRange=(0, 100))
    with pytest.raises(VolumeError, match="No volume"):
        writeMask(node, "s0", readMask(node, "s0"), EMPTY, bright, None)
    assert [stored(node, f"s{number}") for number in range(4)] == before
