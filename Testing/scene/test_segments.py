"""Masks in and out of segments, against plain numpy."""

from __future__ import annotations

import gc
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
import slicer
import vtk
from drawn_segments import put, segmentation_on, stored
from hypothesis import HealthCheck, given, settings
from shapes import AFFINES, ANGLES, Matrix, affine, affines, ball, centre_of, occupancy, set_transform, spacings

from msam.protocol.masks import EMPTY, Box, Mask, cropped
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import Grid
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segments import (
    ensureGeometry,
    readMask,
    segmentationGrid,
    toSegmentationGrid,
    toVolumeGrid,
    writeMask,
)

AddVolume = Callable[..., slicer.vtkMRMLScalarVolumeNode]
Bools = npt.NDArray[np.bool_]
SHAPE = (14, 12, 10)
OBLIQUE = affine((0.7, 0.9, 2.5), (20, -35, 70), (12, -80, 33), flip=True)
few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


WRITES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.tuples(*[st.tuples(st.integers(0, length), st.integers(0, length)).map(sorted) for length in SHAPE]),
        st.sampled_from([0.0, 0.3, 1.0]),
    ),
    min_size=1,
    max_size=8,
)


@few
@given(matrix=AFFINES, writes=WRITES, seed=st.integers(0, 9))
def test_a_segment_holds_what_was_written_and_the_others_what_they_held(
    add_volume: AddVolume, matrix: Matrix, writes: list[tuple[int, list[list[int]], float]], seed: int
) -> None:
    node = segmentation_on(add_volume(np.zeros(SHAPE[::-1], np.int16), matrix), 3)
    random, expected = np.random.default_rng(seed), [np.zeros(SHAPE[::-1], np.bool_) for _ in range(3)]
    for number, ((i0, i1), (j0, j1), (k0, k1)), density in writes:
        after = expected[number].copy()
        after[k0:k1, j0:j1, i0:i1] = random.random((k1 - k0, j1 - j0, i1 - i0)) < density
        others = [stored(node, f"s{other}") for other in range(3) if other != number]
        written = writeMask(node, f"s{number}", cropped(expected[number]), cropped(after))
        assert others == [stored(node, f"s{other}") for other in range(3) if other != number]
        expected[number] = after
        np.testing.assert_array_equal(written.whole(SHAPE), after)
        np.testing.assert_array_equal(readMask(node, f"s{number}").whole(SHAPE), after)


def test_only_the_box_in_which_two_masks_differ_is_written(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    node = segmentation_on(volumeNode)
    before = Mask(((5, 9), (5, 9), (5, 9)), np.ones((4, 4, 4), np.bool_))
    drawn = Mask(((40, 44), (5, 9), (5, 9)), np.ones((4, 4, 4), np.bool_))
    writeMask(node, "s0", EMPTY, before)
    writeMask(node, "s0", EMPTY, drawn)
    after = Mask(((5, 12), (5, 9), (5, 9)), np.ones((4, 4, 7), np.bool_))
    written = writeMask(node, "s0", before, after)
    assert written.box == ((5, 44), (5, 9), (5, 9))
    assert written.voxels.sum() == 4 * 4 * 11


def test_segments_in_one_layer_stay_there_while_they_do_not_overlap(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> None:
    node = segmentation_on(volumeNode, 2)
    # The boxes of the two overlap, their voxels do not.
    lattice = np.indices((8, 8, 8)).sum(axis=0) % 2 == 0
    box: Box = ((10, 18), (10, 18), (10, 18))
    writeMask(node, "s0", EMPTY, Mask(box, lattice))
    writeMask(node, "s1", EMPTY, Mask(box, ~lattice))
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    thinner = lattice & (np.arange(8) < 4)
    writeMask(node, "s0", Mask(box, lattice), Mask(box, thinner))
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    np.testing.assert_array_equal(readMask(node, "s1").within(box), ~lattice)
    np.testing.assert_array_equal(readMask(node, "s0").within(box), thinner)


def test_a_mask_that_reaches_beyond_the_grid_is_clipped(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    node = segmentation_on(volumeNode)
    written = writeMask(node, "s0", EMPTY, Mask(((55, 70), (0, 5), (0, 5)), np.ones((5, 5, 15), np.bool_)))
    assert written.box == ((55, 60), (0, 5), (0, 5))


def test_voxels_that_others_put_beyond_the_grid_are_left_alone(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    node = segmentation_on(volumeNode)
    grid = segmentationGrid(node)
    beyond: Box = ((-4, 3), (2, 5), (2, 5))
    put(node, "s0", grid, beyond, np.ones((3, 3, 7), np.bool_))
    before = readMask(node, "s0")
    assert before.box == ((0, 3), (2, 5), (2, 5))
    writeMask(node, "s0", before, Mask(((1, 9), (2, 5), (2, 5)), np.ones((3, 3, 8), np.bool_)))
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("s0", image)
    row = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(3, 3, -1)[0, 0]
    assert image.GetExtent()[:2] == (-4, 8)
    assert row.tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1]


@few
@given(matrix=AFFINES, first=st.tuples(*[st.integers(-6, 6)] * 3), size=st.tuples(*[st.integers(6, 20)] * 3))
def test_a_grid_that_begins_elsewhere_only_shifts_masks(
    add_volume: AddVolume, matrix: Matrix, first: tuple[int, ...], size: tuple[int, ...]
) -> None:
    volume = add_volume(np.zeros(SHAPE[::-1], np.int16), matrix)
    other = matrix.copy()
    other[:3, 3] += matrix[:3, :3] @ first
    node = segmentation_on(add_volume(np.zeros(size[::-1], np.int16), other))
    whole = np.random.default_rng(3).random(SHAPE[::-1]) < 0.4
    there = toSegmentationGrid(cropped(whole), Scan.of(volume), node)
    low = np.maximum(first, 0)
    high = np.minimum(SHAPE, np.add(first, size))
    expected = np.zeros(size[::-1], np.bool_)
    if np.all(low < high):
        i, j, k = (slice(start, stop) for start, stop in zip(low, high, strict=True))
        to = tuple(
            slice(start - by, stop - by) for start, stop, by in reversed(list(zip(low, high, first, strict=True)))
        )
        expected[to] = whole[k, j, i]
    np.testing.assert_array_equal(there.whole(size), expected)  # type: ignore[arg-type]
    writeMask(node, "s0", EMPTY, there)
    back = toVolumeGrid(readMask(node, "s0"), Scan.of(volume), node).whole(SHAPE)
    np.testing.assert_array_equal(back, whole & inside_of(low, high))


def inside_of(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> Bools:
    k, j, i = np.indices(SHAPE[::-1])
    return np.logical_and.reduce([(at >= a) & (at < b) for at, a, b in zip((i, j, k), low, high, strict=True)])


def test_a_geometry_that_a_file_has_rounded_is_the_same(add_volume: AddVolume) -> None:
    volume = add_volume(np.zeros((40, 50, 60), np.int16), OBLIQUE)
    rounded = add_volume(np.zeros((40, 50, 60), np.int16), OBLIQUE.astype(np.float32).astype(float))
    node = segmentation_on(rounded, 2)
    noise = cropped(np.random.default_rng(3).random((40, 50, 60)) < 0.4)
    there = toSegmentationGrid(noise, Scan.of(volume), node)
    np.testing.assert_array_equal(there.whole((60, 50, 40)), noise.whole((60, 50, 40)))
    # A layer that was written in the other geometry is on the same grid as well.
    grid = segmentationGrid(node)
    put(node, "s0", Grid(OBLIQUE, grid.shapeIjk), noise.box, noise.voxels)
    other = stored(node, "s0")
    writeMask(node, "s1", EMPTY, Mask(((3, 9), (3, 9), (3, 9)), np.ones((6, 6, 6), np.bool_)))
    assert stored(node, "s0")[0] == other[0]
    np.testing.assert_array_equal(readMask(node, "s0").whole((60, 50, 40)), noise.whole((60, 50, 40)))


@few
@given(
    volume_matrix=AFFINES,
    spacing=st.tuples(*[st.floats(0.5, 2)] * 3),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    flip=st.booleans(),
)
def test_another_grid_gets_the_voxels_of_which_half_is_set(
    add_volume: AddVolume,
    volume_matrix: Matrix,
    spacing: tuple[float, float, float],
    angles: tuple[float, float, float],
    flip: bool,
) -> None:
    size = (15, 16, 17)
    volume = add_volume(np.zeros(SHAPE[::-1], np.int16), volume_matrix)
    middle = volume_matrix[:3, :3] @ (np.array(SHAPE) / 2) + volume_matrix[:3, 3]
    matrix = affine(spacing, angles, flip=flip)
    matrix[:3, 3] = middle - matrix[:3, :3] @ (np.array(size) / 2)
    node = segmentation_on(add_volume(np.zeros(size[::-1], np.int16), matrix))
    whole = np.random.default_rng(1).random(SHAPE[::-1]) < 0.6
    there = toSegmentationGrid(cropped(whole), Scan.of(volume), node).whole(size)
    k, j, i = np.indices(size[::-1])
    world = np.stack([i, j, k], axis=-1).reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    places = (world - volume_matrix[:3, 3]) @ np.linalg.inv(volume_matrix[:3, :3]).T
    share = occupancy(whole, places).reshape(size[::-1])
    decided = np.abs(share - 0.5) > 1e-4
    np.testing.assert_array_equal(there[decided], (share >= 0.5)[decided])


@few
@given(
    matrix=affines(0.7, 1.5),
    spacing=spacings(0.8, 1.5),
    angles=ANGLES,
    parents=st.tuples(affines(0.8, 1.25), affines(0.8, 1.25)),
    same=st.booleans(),
)
def test_a_ball_keeps_its_centre_on_the_way_there_and_back(
    scene: slicer.vtkMRMLScene,
    add_volume: AddVolume,
    matrix: Matrix,
    spacing: tuple[float, float, float],
    angles: tuple[float, float, float],
    parents: tuple[Matrix, Matrix],
    same: bool,
) -> None:
    """The volume, the segmentation's grid and a transform above each lie any way they like."""
    volume = add_volume(np.zeros((28, 30, 32), np.int16), matrix)
    centre = np.array([15.3, 14.8, 13.6])
    drawn = ball((32, 30, 28), centre, 6, np.eye(4))
    transforms = [scene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in parents]
    for transform, numbers in zip(transforms, parents, strict=True):
        set_transform(transform, affine(tuple(np.ones(3)), (0, 0, 0)) if same else numbers)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    volume.SetAndObserveTransformNodeID(transforms[0].GetID())
    node.SetAndObserveTransformNodeID(transforms[1].GetID())
    # A grid of the segmentation's own around the middle of the volume.
    scan = Scan.of(volume)
    to_segmentation = np.linalg.inv(np.eye(4) if same else parents[1])
    middle = to_segmentation[:3, :3] @ scan.toWorld(centre) + to_segmentation[:3, 3]
    scaled = np.linalg.norm((to_segmentation @ scan.ijkToWorld)[:3, :3], axis=0).min()
    own_grid = affine(tuple(scaled * np.array(spacing)), angles)
    own_grid[:3, 3] = middle - own_grid[:3, :3] @ np.full(3, 35.0)
    ensureGeometry(node, add_volume(np.zeros((70, 70, 70), np.int16), own_grid))
    node.SetAndObserveTransformNodeID(transforms[1].GetID())
    node.GetSegmentation().AddEmptySegment("s0")
    there = writeMask(node, "s0", EMPTY, toSegmentationGrid(drawn, scan, node))
    assert all(start > 0 and stop < 70 for start, stop in there.box)
    back = toVolumeGrid(readMask(node, "s0"), scan, node)
    assert np.abs(centre_of(back) - centre_of(drawn)).max() < 0.5


def test_the_corners_of_a_transformed_volume_stay_where_they_are(
    scene: slicer.vtkMRMLScene, add_volume: AddVolume
) -> None:
    """A voxel of the volume and its voxel of the segmentation are at one place of the world."""
    volume = add_volume(np.zeros((20, 20, 20), np.int16), OBLIQUE)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    set_transform(transform, affine((1, 1, 1), (10, 20, 30), (5, 6, 7)))
    volume.SetAndObserveTransformNodeID(transform.GetID())
    scan = Scan.of(volume)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("s0")
    # Without a transform of its own, on a fine grid of the world.
    low = scan.toWorld([[0, 0, 0], [19, 0, 0], [0, 19, 0], [0, 0, 19], [19, 19, 19]]).min(axis=0) - 30
    ensureGeometry(node, add_volume(np.zeros((140, 140, 140), np.int16), affine((0.8, 0.8, 0.8), origin=tuple(low))))
    drawn = Mask(((4, 9), (5, 8), (6, 8)), np.ones((2, 3, 5), np.bool_))
    there = writeMask(node, "s0", EMPTY, toSegmentationGrid(drawn, scan, node))
    world = centre_of(there) * 0.8 + low
    np.testing.assert_allclose(scan.toIjk(world), centre_of(drawn), atol=0.3)


def test_a_layer_on_another_grid_is_not_resampled_when_a_neighbour_is_written(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> None:
    node = segmentation_on(volumeNode, 2)
    coarse = Grid(affine((2, 2, 2), (10, 0, 0), (-20, -20, -30)), (20, 20, 20))
    put(node, "s0", coarse, ((3, 12), (3, 12), (3, 12)), np.random.default_rng(0).random((9, 9, 9)) < 0.5)
    before = stored(node, "s0")
    drawn = Mask(((20, 30), (20, 30), (10, 20)), np.ones((10, 10, 10), np.bool_))
    np.testing.assert_array_equal(writeMask(node, "s1", EMPTY, drawn).within(drawn.box), drawn.voxels)
    assert stored(node, "s0") == before
    # Written itself it moves to the grid of the segmentation, as it was read.
    resampled = readMask(node, "s0")
    more = resampled.whole((60, 50, 40))
    more[2:5, 2:5, 2:5] = True
    written = writeMask(node, "s0", resampled, cropped(more))
    np.testing.assert_array_equal(written.whole((60, 50, 40)), more)
    np.testing.assert_array_equal(readMask(node, "s1").within(drawn.box), drawn.voxels)


def test_a_new_segmentation_gets_grid_and_transform_of_the_volume(
    scene: slicer.vtkMRMLScene, add_volume: AddVolume
) -> None:
    volume = add_volume(np.zeros((4, 5, 6), np.int16), OBLIQUE)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    volume.SetAndObserveTransformNodeID(transform.GetID())
    node = segmentation_on(volume)
    grid = segmentationGrid(node)
    np.testing.assert_allclose(grid.ijkToRas, OBLIQUE, atol=1e-9)
    assert grid.shapeIjk == (6, 5, 4)
    assert node.GetParentTransformNode() is transform
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is volume


def test_a_grid_that_is_there_stays(volumeNode: slicer.vtkMRMLScalarVolumeNode, add_volume: AddVolume) -> None:
    node = segmentation_on(volumeNode)
    ensureGeometry(node, add_volume(np.zeros((4, 5, 6), np.int16), OBLIQUE))
    assert segmentationGrid(node).shapeIjk == (60, 50, 40)


def test_voxels_without_a_stated_grid_keep_theirs(
    scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("s0")
    node.GetSegmentation().AddEmptySegment("s1")
    coarse = Grid(affine((2, 2, 2), (10, 0, 0), (-20, -20, -30)), (20, 20, 20))
    put(node, "s0", coarse, ((3, 12), (3, 12), (3, 12)), np.random.default_rng(0).random((9, 9, 9)) < 0.5)
    before = stored(node, "s0")
    ensureGeometry(node, volumeNode)
    # The whole volume fits in, so any mask can be written.
    scan = Scan.of(volumeNode)
    for corner in np.ndindex(2, 2, 2):
        i, j, k = (int(value) for value in np.array(corner) * (59, 49, 39))
        near: Box = ((max(i - 2, 0), i + 3), (max(j - 2, 0), j + 3), (max(k - 2, 0), k + 3))
        voxels = np.ones(tuple(stop - start for start, stop in reversed(near)), np.bool_)
        assert toSegmentationGrid(Mask(near, voxels), scan, node).voxels.any()
    writeMask(node, "s1", EMPTY, Mask(((30, 34), (30, 34), (30, 34)), np.ones((4, 4, 4), np.bool_)))
    assert stored(node, "s0") == before


def test_what_cannot_be_written_is_said(scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    node = segmentation_on(volumeNode)
    with pytest.raises(SceneError, match="not in the segmentation any more"):
        readMask(node, "gone")
    with pytest.raises(SceneError, match="not in the segmentation any more"):
        writeMask(node, "", EMPTY, EMPTY)
    with pytest.raises(SceneError, match="no segmentation"):
        readMask(None, "s0")
    bare = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    with pytest.raises(SceneError, match="no grid"):
        segmentationGrid(bare)
    bare.GetSegmentation().SetSourceRepresentationName("Closed surface")
    with pytest.raises(SceneError, match="surfaces instead of voxels"):
        ensureGeometry(bare, volumeNode)


def test_a_box_of_128_voxels_a_side_is_replaced_exactly(add_volume: AddVolume) -> None:
    node = segmentation_on(add_volume(np.zeros((140, 150, 160), np.uint8)), 2)
    random = np.random.default_rng(0)
    box: Box = ((5, 133), (7, 135), (9, 137))
    masks = [Mask(box, random.random((128, 128, 128)) < 0.5) for _ in range(2)]
    writeMask(node, "s0", EMPTY, masks[0])
    writeMask(node, "s1", EMPTY, masks[1])
    for turn in range(2):
        written = writeMask(node, "s0", masks[turn % 2], masks[1 - turn % 2])
        np.testing.assert_array_equal(written.within(box), masks[1 - turn % 2].voxels)


def test_nothing_is_kept_of_what_was_removed(scene: slicer.vtkMRMLScene, add_volume: AddVolume) -> None:
    watched = []
    for turn in range(5):
        volume = add_volume(np.zeros((20, 20, 20), np.int16), OBLIQUE)
        node = segmentation_on(volume)
        drawn = Mask(((2, 6), (2, 6), (2, 6)), np.ones((4, 4, 4), np.bool_))
        writeMask(node, "s0", EMPTY, toSegmentationGrid(drawn, Scan.of(volume), node))
        for each in (volume.GetImageData(), volume, node, node.GetSegmentation()):
            weak = vtk.vtkWeakReference()
            weak.Set(each)
            watched.append(weak)
        scene.RemoveNode(node)
        scene.RemoveNode(volume)
        del volume, node, each, turn
    gc.collect()
    assert [weak.Get() for weak in watched] == [None] * 20
