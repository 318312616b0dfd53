"""Volumes as something to segment."""

from __future__ import annotations

import gc
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
import slicer
import vtk
from hypothesis import HealthCheck, given, settings
from shapes import AFFINES, Matrix, affine, set_transform

from msam.errors import VolumeError
from MSAMSegmentLib.scans import Scan

AddVolume = Callable[..., slicer.vtkMRMLScalarVolumeNode]
OBLIQUE = affine((0.7, 0.9, 2.5), (20, -35, 70), (12, -80, 33), flip=True)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def transform_node(scene: slicer.vtkMRMLScene, matrix: npt.ArrayLike) -> slicer.vtkMRMLTransformNode:
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    set_transform(node, matrix)
    return node


@few
@given(matrix=AFFINES, ijk=st.tuples(*[st.floats(-5, 60)] * 3))
def test_voxels_lie_where_simpleitk_says(add_volume: AddVolume, matrix: Matrix, ijk: tuple[float, ...]) -> None:
    scan = Scan.of(add_volume(np.zeros((4, 5, 6), np.int16), matrix))
    image = sitk.Image(6, 5, 4, sitk.sitkInt16)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image.SetOrigin(lps[:3, 3])
    image.SetSpacing(spacing)
    image.SetDirection((lps[:3, :3] / spacing).ravel())
    expected = np.array(image.TransformContinuousIndexToPhysicalPoint(ijk)) * (-1, -1, 1)
    np.testing.assert_allclose(scan.toWorld(ijk), expected, atol=1e-6)
    np.testing.assert_allclose(scan.toIjk(expected), ijk, atol=1e-6)
    np.testing.assert_allclose(scan.spacing, spacing, rtol=1e-9)


@few
@given(matrix=AFFINES, parent=AFFINES, grandparent=AFFINES, ijk=st.tuples(*[st.floats(-5, 60)] * 3))
def test_world_goes_through_the_parent_transforms_of_the_moment(
    scene: slicer.vtkMRMLScene,
    add_volume: AddVolume,
    matrix: Matrix,
    parent: Matrix,
    grandparent: Matrix,
    ijk: tuple[float, ...],
) -> None:
    volume = add_volume(np.zeros((4, 5, 6), np.int16), matrix)
    scan = Scan.of(volume)
    outer, inner = transform_node(scene, grandparent), transform_node(scene, parent)
    inner.SetAndObserveTransformNodeID(outer.GetID())
    volume.SetAndObserveTransformNodeID(inner.GetID())
    world = [0.0, 0.0, 0.0]
    volume.TransformPointToWorld(list(matrix[:3, :3] @ ijk + matrix[:3, 3]), world)
    np.testing.assert_allclose(scan.toWorld(ijk), world, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(scan.toIjk(world), ijk, atol=1e-4)
    np.testing.assert_allclose(scan.ijkToRas, matrix, atol=1e-9)


TYPES = [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, float]


@pytest.mark.parametrize("dtype", TYPES)
def test_voxels_of_every_type_are_read(add_volume: AddVolume, dtype: npt.DTypeLike) -> None:
    values = np.random.default_rng(1).integers(0, 2 if dtype is np.bool_ else 100, (3, 4, 5))
    stored = values.astype(np.uint8 if dtype is np.bool_ else dtype)
    voxels = Scan.of(add_volume(stored)).voxels
    assert voxels.dtype == stored.dtype
    np.testing.assert_array_equal(voxels, values)


def test_voxels_of_one_bit_are_read(add_volume: AddVolume) -> None:
    volume = add_volume(np.zeros((3, 4, 5), np.uint8))
    bits = vtk.vtkBitArray()
    bits.SetNumberOfTuples(60)
    for index in range(60):
        bits.SetValue(index, index % 3 == 0)
    volume.GetImageData().GetPointData().SetScalars(bits)
    np.testing.assert_array_equal(Scan.of(volume).voxels.ravel(), np.arange(60) % 3 == 0)


def test_voxels_are_a_view_that_cannot_be_written(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    scan = Scan.of(volumeNode)
    slicer.util.arrayFromVolume(volumeNode)[1, 2, 3] = 4321
    assert scan.voxels[1, 2, 3] == 4321
    with pytest.raises(ValueError, match="read-only"):
        scan.voxels[0, 0, 0] = 1


def test_a_point_is_inside_up_to_the_rim_of_the_last_voxel(add_volume: AddVolume) -> None:
    scan = Scan.of(add_volume(np.zeros((4, 5, 6), np.int16), OBLIQUE))
    assert scan.contains((-0.5, -0.5, -0.5))
    assert scan.contains((5.5, 4.5, 3.5))
    assert not scan.contains((5.51, 1, 1))
    assert not scan.contains((1, -0.51, 1))
    assert not scan.contains((1, 1, np.nan))


def test_the_stamp_changes_with_voxels_and_matrix_only(
    scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    first = Scan.of(volumeNode)
    volumeNode.SetName("Other name")
    volumeNode.GetDisplayNode().SetWindowLevel(100, 50)
    volumeNode.SetAndObserveTransformNodeID(transform_node(scene, OBLIQUE).GetID())
    assert Scan.of(volumeNode).stamp == first.stamp
    assert first.isCurrent
    slicer.util.arrayFromVolume(volumeNode)[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(volumeNode)
    second = Scan.of(volumeNode)
    assert second.stamp != first.stamp
    assert not first.isCurrent
    volumeNode.SetOrigin(1, 2, 3)
    assert Scan.of(volumeNode).stamp != second.stamp
    volumeNode.SetAndObserveImageData(None)
    assert not second.isCurrent


def test_another_volume_has_another_stamp(add_volume: AddVolume) -> None:
    voxels = np.zeros((4, 5, 6), np.int16)
    assert Scan.of(add_volume(voxels)).stamp != Scan.of(add_volume(voxels)).stamp


def test_the_frame_of_a_sequence_is_the_one_that_is_shown(scene: slicer.vtkMRMLScene, add_volume: AddVolume) -> None:
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for frame in range(3):
        volume = add_volume(np.full((4, 5, 6), frame, np.int16))
        sequence.SetDataNodeAtValue(volume, str(frame))
        scene.RemoveNode(volume)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic = slicer.modules.sequences.logic()
    stamps = []
    for frame in range(3):
        browser.SetSelectedItemNumber(frame)
        logic.UpdateProxyNodesFromSequences(browser)
        scan = Scan.of(browser.GetProxyNode(sequence))
        assert np.all(scan.voxels == frame)
        stamps.append(scan.stamp)
    assert len(set(stamps)) == 3


def test_the_modality_comes_from_the_node_its_series_or_its_unit(
    scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    assert Scan.of(volumeNode).modality is None
    unit = slicer.vtkCodedEntry()
    unit.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    volumeNode.SetVoxelValueUnits(unit)
    assert Scan.of(volumeNode).modality == "CT"
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    hierarchy.SetItemAttribute(hierarchy.CreateItem(hierarchy.GetSceneItemID(), volumeNode), "DICOM.Modality", "PT")
    assert Scan.of(volumeNode).modality == "PT"
    volumeNode.SetAttribute("DICOM.Modality", "mr ")
    assert Scan.of(volumeNode).modality == "MR"


def test_what_cannot_be_segmented_is_refused_with_the_reason(scene: slicer.vtkMRMLScene, add_volume: AddVolume) -> None:
    with pytest.raises(VolumeError, match="No volume is selected"):
        Scan.of(None)
    with pytest.raises(VolumeError, match="No volume is selected"):
        Scan.of(scene.AddNewNodeByClass("vtkMRMLModelNode"))
    with pytest.raises(VolumeError, match="no voxels"):
        Scan.of(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
    with pytest.raises(VolumeError, match="two-dimensional"):
        Scan.of(add_volume(np.zeros((1, 5, 6), np.int16)))
    colour = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    colour.SetAndObserveImageData(image)
    with pytest.raises(VolumeError, match="3 numbers per voxel"):
        Scan.of(colour)
    several = add_volume(np.zeros((4, 5, 6), np.int16))
    several.SetAndObserveImageData(image)
    with pytest.raises(VolumeError, match="3 numbers per voxel"):
        Scan.of(several)


@pytest.mark.parametrize(
    ("column", "words"), [((np.nan, 0, 0), "not finite"), ((0, 0, 0), "no distance"), ((0, 1, 0), "one plane")]
)
def test_a_volume_without_a_place_is_refused(add_volume: AddVolume, column: tuple[float, ...], words: str) -> None:
    matrix = np.eye(4)
    matrix[:3, 0] = column
    volume = add_volume(np.zeros((4, 5, 6), np.int16))
    to_ras = vtk.vtkMatrix4x4()
    to_ras.DeepCopy(matrix.ravel())
    directions = [[matrix[row, axis] for axis in range(3)] for row in range(3)]
    volume.SetIJKToRASDirections(directions)
    if column == (0, 0, 0):
        volume.SetIJKToRASDirections(np.eye(3).tolist())
        volume.SetSpacing(0, 1, 1)
    with pytest.raises(VolumeError, match=words):
        Scan.of(volume)


def test_a_bent_transform_is_refused_and_a_straight_one_is_not(
    scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    straight = transform_node(scene, OBLIQUE)
    volumeNode.SetAndObserveTransformNodeID(straight.GetID())
    scan = Scan.of(volumeNode)
    bent = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    splines = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    for place in ((0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9), (9, 9, 9)):
        points.InsertNextPoint(place)
    moved = vtk.vtkPoints()
    moved.DeepCopy(points)
    moved.SetPoint(0, 3, 0, 0)
    splines.SetSourceLandmarks(points)
    splines.SetTargetLandmarks(moved)
    splines.SetBasisToR()
    bent.SetAndObserveTransformToParent(splines)
    straight.SetAndObserveTransformNodeID(bent.GetID())
    with pytest.raises(VolumeError, match="not linear"):
        Scan.of(volumeNode)
    with pytest.raises(VolumeError, match="not linear"):
        scan.toWorld((1, 2, 3))


def test_nothing_of_a_removed_volume_is_kept(scene: slicer.vtkMRMLScene, add_volume: AddVolume) -> None:
    volume = add_volume(np.zeros((4, 5, 6), np.int16))
    image = vtk.vtkWeakReference()
    image.Set(volume.GetImageData())
    scan = Scan.of(volume)
    scan.toWorld((1, 1, 1))
    assert scan.voxels.size == 120
    assert scan.modality is None
    scene.RemoveNode(volume)
    del scan, volume
    gc.collect()
    assert image.Get() is None
