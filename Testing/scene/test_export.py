"""Exported files, read by SimpleITK."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import vtk
from drawn_segments import put, segmentation_on
from hypothesis import given
from hypothesis import strategies as st
from shapes import affine

from msam.protocol.masks import Mask, cropped
from MSAMSegmentLib import export_files
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.export import exportPlan, exportSegments
from MSAMSegmentLib.export_names import PlannedSegment, fileNames
from MSAMSegmentLib.grids import vtk_matrix
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.records import SegmentRecord, readRecord, writeRecord
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segments import segmentationGrid

SHAPE = (10, 14, 18)
GEOMETRIES = {
    "plain": affine((1, 1, 2)),
    "LPS": affine((1, 1, 2)) @ np.diag((-1.0, -1.0, 1.0, 1.0)),
    "oblique": affine((0.7, 0.8, 2.5), (10, -20, 30), (105.123456789, -60.5, 700.25)),
    "left-handed": affine((0.7, 0.8, 2.5), (10, -20, 30), (5, 6, 7), flip=True),
    "sagittal": affine((3, 0.9, 0.9), origin=(-70, 120, 33)) @ np.eye(4)[[2, 0, 1, 3]],
}
ENDINGS = [".nrrd", ".nii.gz", ".nii", ".mha", ".seg.nrrd"]


def random_mask(seed: int, box=((2, 9), (3, 11), (1, 8))) -> Mask:
    random = np.random.default_rng(seed)
    whole = np.zeros(SHAPE, np.bool_)
    (i0, i1), (j0, j1), (k0, k1) = box
    whole[k0:k1, j0:j1, i0:i1] = random.random((k1 - k0, j1 - j0, i1 - i0)) > 0.4
    return cropped(whole)


FIRST = random_mask(1)
BESIDE = random_mask(2, ((10, 17), (3, 11), (1, 8)))
OVERLAPPING = random_mask(3, ((6, 15), (3, 11), (1, 8)))


@pytest.fixture
def scan(add_volume):
    return scan_with(add_volume, GEOMETRIES["left-handed"])


def scan_with(add_volume, matrix):
    return add_volume(np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16), matrix)


def segmentation(scan, *masks: Mask, names=("Tumour", "Ödem", "Node")):
    node = segmentation_on(scan, len(masks))
    for number, mask in enumerate(masks):
        node.GetSegmentation().GetSegment(f"s{number}").SetName(names[number])
        if mask.voxels.size:
            put(node, f"s{number}", segmentationGrid(node), mask.box, mask.voxels)
    return node


def read(path: Path) -> SimpleITK.Image:
    return SimpleITK.ReadImage(str(path))


def same_geometry(image: SimpleITK.Image, ijk_to_ras) -> bool:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return image.GetSize() == SHAPE[::-1] and np.allclose(np.diag((-1, -1, 1, 1)) @ matrix, ijk_to_ras, atol=1e-4)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_has_the_voxels_and_the_geometry_of_the_scan(add_volume, tmp_path, geometry, ending):
    scan = scan_with(add_volume, GEOMETRIES[geometry])
    path = tmp_path / f"Läsion{ending}"
    assert exportSegments(segmentation(scan, FIRST), ["s0"], path, scan) == [path]
    image = read(path)
    assert image.GetPixelIDValue() == SimpleITK.sitkUInt8
    assert same_geometry(image, GEOMETRIES[geometry])
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), FIRST.whole(SHAPE[::-1]))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_several_segments_get_values_in_their_order_and_a_list_of_names(scan, tmp_path):
    node = segmentation(scan, FIRST, BESIDE, names=("Tumour", 'Ödem, "left"'))
    path = tmp_path / "both.nii.gz"
    written = exportSegments(node, ["s1", "s0"], path, scan)
    assert [each.name for each in written] == ["both.nii.gz", "both.labels.csv"]
    expected = BESIDE.whole(SHAPE[::-1]) + 2 * FIRST.whole(SHAPE[::-1]).astype(int)
    assert np.array_equal(SimpleITK.GetArrayFromImage(read(path)), expected)
    assert written[1].read_text(encoding="utf-8") == 'value,name\n1,"Ödem, ""left"""\n2,Tumour\n'


def test_overlapping_segments_are_refused_in_a_label_file(scan, tmp_path):
    node = segmentation(scan, FIRST, OVERLAPPING)
    count = np.count_nonzero(FIRST.whole(SHAPE[::-1]) & OVERLAPPING.whole(SHAPE[::-1]))
    with pytest.raises(SceneError, match=rf"number 1 and number 2 overlap \({count} voxels\)"):
        exportSegments(node, ["s0", "s1"], tmp_path / "both.nrrd", scan)
    assert not list(tmp_path.iterdir())


def test_overlapping_segments_go_into_one_segmentation_file_or_one_file_each(scene, scan, tmp_path):
    node = segmentation(scan, FIRST, OVERLAPPING)
    node.GetSegmentation().GetSegment("s1").SetColor(0.25, 0.5, 0.75)
    path = tmp_path / "both.seg.nrrd"
    exportSegments(node, ["s1", "s0"], path, scan)
    loaded = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(loaded)
    assert list(loaded.GetSegmentation().GetSegmentIDs()) == ["s1", "s0"]
    assert loaded.GetSegmentation().GetSegment("s1").GetName() == "Ödem"
    assert loaded.GetSegmentation().GetSegment("s1").GetColor() == pytest.approx((0.25, 0.5, 0.75), abs=0.01)
    assert SimpleITK.GetArrayFromImage(read(path)).shape == (*SHAPE, 2)
    written = exportSegments(node, ["s0", "s1"], tmp_path, scan, ending=".mha")
    assert [each.name for each in written] == ["Tumour.mha", "Ödem.mha"]
    for each, mask in zip(written, (FIRST, OVERLAPPING), strict=True):
        assert np.array_equal(SimpleITK.GetArrayFromImage(read(each)), mask.whole(SHAPE[::-1]))


def test_the_clicks_travel_in_a_segmentation_file_on_the_same_grid(scene, scan, add_volume, tmp_path):
    node, record = segmentation(scan, FIRST), SegmentRecord().withPoints((Point(1, (3.0, 4.0, 5.0), True),))
    writeRecord(node, "s0", record)
    other = add_volume(np.zeros((5, 7, 9), np.uint8), GEOMETRIES["left-handed"] @ np.diag((2.0, 2.0, 2.0, 1.0)))
    for volume, expected in ((scan, record), (other, SegmentRecord())):
        path = tmp_path / f"{volume.GetID()}.seg.nrrd"
        exportSegments(node, ["s0"], path, volume)
        loaded = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(path))
        assert storage.ReadData(loaded)
        assert readRecord(loaded, "s0") == expected
    assert readRecord(node, "s0") == record


def test_parent_transforms_are_not_in_the_file(scene, scan, tmp_path):
    node = segmentation(scan, FIRST)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(vtk_matrix(affine((1, 1, 1), (30, 20, 10), (50, 60, 70))))
    for each in (scan, node):
        each.SetAndObserveTransformNodeID(transform.GetID())
    exportSegments(node, ["s0"], tmp_path / "a.nrrd", scan)
    image = read(tmp_path / "a.nrrd")
    assert same_geometry(image, GEOMETRIES["left-handed"])
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), FIRST.whole(SHAPE[::-1]))


@pytest.mark.parametrize("ending", ENDINGS)
def test_another_volume_gets_the_segment_on_its_own_grid(scan, add_volume, tmp_path, ending):
    block = Mask(((2, 8), (4, 10), (2, 8)), np.ones((6, 6, 6), np.bool_))
    half = GEOMETRIES["left-handed"].copy()
    half[:3, 3] += half[:3, :3] @ (0.5, 0.5, 0.5)
    half[:3, :3] *= 2
    coarse = add_volume(np.zeros((5, 7, 9), np.uint8), half, "Coarse")
    exportSegments(segmentation(scan, block), ["s0"], tmp_path / f"a{ending}", coarse)
    voxels = SimpleITK.GetArrayFromImage(read(tmp_path / f"a{ending}"))
    assert voxels.shape == (5, 7, 9)
    assert voxels[1:4, 2:5, 1:4].all()
    assert voxels.sum() == 27


def test_the_scene_stays_as_it_was(scene, scan, tmp_path):
    node = segmentation(scan, FIRST, BESIDE)
    before = [scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())]
    times = [each.GetMTime() for each in (node, node.GetSegmentation(), scan, scan.GetImageData())]
    for ending in ENDINGS:
        exportSegments(node, ["s0", "s1"], tmp_path / f"{ending[1:]}{ending}", scan)
    assert before == [scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())]
    assert times == [each.GetMTime() for each in (node, node.GetSegmentation(), scan, scan.GetImageData())]
    assert vtk.vtkObject.GetGlobalWarningDisplay() == 1


def test_an_existing_file_is_replaced_only_when_asked(scan, tmp_path):
    node, path = segmentation(scan, FIRST), tmp_path / "a.nrrd"
    path.write_bytes(b"mine")
    with pytest.raises(SceneError, match=r"a\.nrrd exists already"):
        exportSegments(node, ["s0"], path, scan)
    assert path.read_bytes() == b"mine"
    exportSegments(node, ["s0"], path, scan, overwrite=True)
    assert read(path).GetSize() == SHAPE[::-1]


def test_an_existing_list_of_names_is_not_replaced_unasked(scan, tmp_path):
    (tmp_path / "a.labels.csv").write_text("mine")
    with pytest.raises(SceneError, match=r"a\.labels\.csv exists already"):
        exportSegments(segmentation(scan, FIRST, BESIDE), ["s0", "s1"], tmp_path / "a.nrrd", scan)
    assert [each.name for each in tmp_path.iterdir()] == ["a.labels.csv"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_came_out_otherwise_is_not_kept(scan, tmp_path, monkeypatch, ending):
    node, path = segmentation(scan, FIRST), tmp_path / f"a{ending}"
    path.write_bytes(b"mine")
    kind = "writeSegmentation" if ending == ".seg.nrrd" else "writeLabels"
    real = getattr(export_files, kind)

    def damaging(place, *rest):
        if kind == "writeLabels":
            labels = rest[0].copy()
            labels[2, 2, 2] ^= 1
            return real(place, labels, *rest[1:])
        return real(place, rest[0], {"s0": BESIDE}, rest[2])

    monkeypatch.setattr(export_files, kind, damaging)
    with pytest.raises(SceneError, match="not what was read again"):
        exportSegments(node, ["s0"], path, scan, overwrite=True)
    assert path.read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_at_another_place_is_noticed(tmp_path):
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 1
    matrix = GEOMETRIES["oblique"]
    assert export_files.writeLabels(tmp_path / "a.nrrd", labels, matrix)
    assert export_files.holdsLabels(tmp_path / "a.nrrd", labels, matrix)
    moved = matrix.copy()
    moved[0, 3] += 0.01
    turned = matrix @ np.diag((-1.0, 1.0, 1.0, 1.0))
    for other in (moved, turned, matrix * [[1.001, 1, 1, 1]]):
        assert not export_files.holdsLabels(tmp_path / "a.nrrd", labels, other)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_is_told_in_words_and_leaves_nothing(scan, tmp_path, ending):
    node = segmentation(scan, FIRST)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(SceneError, match=r"could not be written|not what was read again|The export failed"):
            exportSegments(node, ["s0"], tmp_path / f"a{ending}", scan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("left", [0, 1, 50, 400, -200, -8, -1])
def test_a_segmentation_file_that_was_cut_off_is_noticed(scan, tmp_path, left):
    """Slicer's reader would end the process."""
    node, path = segmentation(scan, FIRST), tmp_path / "a.seg.nrrd"
    exportSegments(node, ["s0"], path, scan)
    content = path.read_bytes()
    path.write_bytes(content[:left])
    assert not export_files.holdsSegments(path, {"s0": FIRST}, Scan.of(scan))
    path.write_bytes(content)
    assert export_files.holdsSegments(path, {"s0": FIRST}, Scan.of(scan))
    assert not export_files.holdsSegments(path, {"s0": BESIDE}, Scan.of(scan))


def test_a_folder_without_rights_is_told_in_words(scan, tmp_path, monkeypatch):
    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(SceneError, match="Permission denied") as refused:
        exportSegments(segmentation(scan, FIRST), ["s0"], tmp_path / "a.nrrd", scan)
    assert str(tmp_path) not in str(refused.value)


def test_nothing_to_export_is_told(scan, add_volume, tmp_path):
    empty = segmentation(scan, Mask(((0, 0),) * 3, np.zeros((0, 0, 0), np.bool_)))
    with pytest.raises(SceneError, match="nothing to export"):
        exportSegments(empty, ["s0"], tmp_path / "a.nrrd", scan)
    far = affine((1, 1, 1), origin=(5000, 0, 0))
    with pytest.raises(SceneError, match="nothing to export"):
        exportSegments(segmentation(scan, FIRST), ["s0"], tmp_path / "a.nrrd", scan_with(add_volume, far))
    with pytest.raises(SceneError, match="No segment is selected"):
        exportSegments(empty, [], tmp_path / "a.nrrd", scan)
    with pytest.raises(SceneError, match="not in the segmentation"):
        exportSegments(empty, ["nowhere"], tmp_path / "a.nrrd", scan)


@pytest.mark.parametrize("ending", [".nrrd", ".seg.nrrd"])
def test_an_empty_segment_among_others_keeps_its_value(scan, tmp_path, ending):
    node = segmentation(scan, Mask(((0, 0),) * 3, np.zeros((0, 0, 0), np.bool_)), FIRST)
    exportSegments(node, ["s0", "s1"], tmp_path / f"a{ending}", scan)
    voxels = SimpleITK.GetArrayFromImage(read(tmp_path / f"a{ending}"))
    assert np.array_equal(voxels != 0, FIRST.whole(SHAPE[::-1]))
    assert ending == ".seg.nrrd" or voxels.max() == 2


def test_more_segments_than_values_are_refused(scan, tmp_path):
    node = segmentation_on(scan, 256)
    identifiers = list(node.GetSegmentation().GetSegmentIDs())
    with pytest.raises(SceneError, match="256 segments are selected"):
        exportPlan(node, identifiers, tmp_path / "a.nrrd")
    assert len(exportPlan(node, identifiers[:255], tmp_path / "a.nrrd")[0].segments) == 255
    assert len(exportPlan(node, identifiers, tmp_path / "a.seg.nrrd")) == 1
    assert len(exportPlan(node, identifiers, tmp_path)) == 256


@pytest.mark.parametrize("name", ["a", "a.png", ".nrrd", ".seg.nrrd", "a.nrrd.txt"])
def test_an_unknown_kind_of_file_is_refused(scan, tmp_path, name):
    with pytest.raises(SceneError, match="has to end in one of"):
        exportPlan(segmentation(scan, FIRST), ["s0"], tmp_path / name)


def test_a_plan_tells_names_values_and_what_exists(scan, tmp_path):
    node = segmentation(scan, FIRST, BESIDE, names=("a/b", "A?b"))
    (tmp_path / "all.nrrd").touch()
    both = (PlannedSegment("s0", "a/b", 1), PlannedSegment("s1", "A?b", 2))
    labels, listed = exportPlan(node, ["s0", "s1"], tmp_path / "all.nrrd")
    assert (labels.segments, labels.exists, labels.isList) == (both, True, False)
    assert (listed.path.name, listed.exists, listed.isList) == ("all.labels.csv", False, True)
    one, other = exportPlan(node, ["s0", "s1"], tmp_path, ending=".nii.gz")
    assert [one.path.name, other.path.name] == ["a_b.nii.gz", "A_b_2.nii.gz"]
    assert other.segments == (PlannedSegment("s1", "A?b", 1),)
    with pytest.raises(SceneError, match="cannot be exported as"):
        exportPlan(node, ["s0"], tmp_path, ending=".stl")
    with pytest.raises(SceneError, match="does not exist"):
        exportPlan(node, ["s0"], tmp_path / "nowhere" / "a.nrrd")
    with pytest.raises(SceneError, match="does not exist"):
        exportPlan(node, ["s0"], tmp_path / "nowhere", oneFilePerSegment=True)


@given(
    st.lists(
        st.text(max_size=200) | st.sampled_from(["CON", "nul.txt", "..", "a", "A", "a_2", "", "ä" * 99]), max_size=8
    )
)
def test_names_of_files_are_safe_and_all_different(names):
    made = fileNames(names)
    assert len({name.casefold() for name in made}) == len(names)
    for name in made:
        assert 0 < len(name.encode()) <= 110
        assert not set(name) & set('<>:"/\\|?*\0\n\r\t')
        assert name.strip(" .") == name
        assert name.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT1"}


def test_a_large_scan_is_exported_in_a_moment(add_volume, tmp_path):
    scan = add_volume(np.zeros((100, 256, 256), np.int16), GEOMETRIES["oblique"])
    node = segmentation_on(scan)
    put(node, "s0", segmentationGrid(node), FIRST.box, FIRST.voxels)
    assert exportSegments(node, ["s0"], tmp_path / "a.nii.gz", scan) == [tmp_path / "a.nii.gz"]
