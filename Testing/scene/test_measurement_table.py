"""Measurements of segments, against SimpleITK and plain numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import SimpleITK
import slicer
from drawn_segments import put, segmentation_on
from shapes import affine

from msam.errors import VolumeError
from msam.protocol.masks import Mask, cropped
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import vtk_matrix
from MSAMSegmentLib.measurement_table import measureSegment, tableText, updateTable
from MSAMSegmentLib.segments import segmentationGrid

OBLIQUE = affine((0.7, 0.8, 2.5), (10, -20, 30), (5, 6, 7), flip=True)


@pytest.fixture
def scan(add_volume):
    random = np.random.default_rng(3)
    return add_volume(random.normal(50, 30, (12, 20, 24)).astype(np.int16), OBLIQUE)


def lesion() -> Mask:
    k, j, i = np.indices((12, 20, 24))
    return cropped(((i - 11) / 7) ** 2 + ((j - 9) / 5) ** 2 + ((k - 5) / 3) ** 2 < 1)


def with_lesion(volume, mask: Mask | None = None):
    node = segmentation_on(volume)
    mask = lesion() if mask is None else mask
    put(node, "s0", segmentationGrid(node), mask.box, mask.voxels)
    return node


def voxels_of(volume):
    return slicer.util.arrayFromVolume(volume)


def test_size_and_intensities_are_those_that_simpleitk_finds(scan):
    node, whole = with_lesion(scan), lesion().whole((24, 20, 12))
    measured = measureSegment(node, "s0", scan)
    labels, image = (SimpleITK.GetImageFromArray(each) for each in (whole.astype(np.uint8), voxels_of(scan)))
    for each in (labels, image):
        each.SetSpacing((0.7, 0.8, 2.5))
    statistics = SimpleITK.LabelStatisticsImageFilter()
    statistics.Execute(image, labels)
    shape = SimpleITK.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.Execute(labels)
    assert measured.voxels == whole.sum()
    assert measured.volumeMl == pytest.approx(shape.GetPhysicalSize(1) / 1000)
    assert measured.longestDiameterMm == pytest.approx(shape.GetFeretDiameter(1), abs=1e-3)
    assert measured.mean == pytest.approx(statistics.GetMean(1))
    assert measured.standardDeviation == pytest.approx(statistics.GetSigma(1))
    assert (measured.minimum, measured.maximum) == (statistics.GetMinimum(1), statistics.GetMaximum(1))
    assert measured.median == np.median(voxels_of(scan)[whole])


def test_axial_diameters_are_those_of_brute_force(scan):
    whole = lesion().whole((24, 20, 12))
    best = (0.0, 0.0)
    for each in whole:  # k runs nearest to superior here
        places = np.argwhere(each)[:, ::-1] * (0.7, 0.8)
        if len(places) < 2:
            continue
        one, other = max(itertools.combinations(places, 2), key=lambda pair: np.linalg.norm(pair[0] - pair[1]))
        length = np.linalg.norm(one - other)
        across = places @ np.array([-(one - other)[1], (one - other)[0]]) / length
        best = max(best, (length, np.ptp(across)))
    measured = measureSegment(with_lesion(scan), "s0", scan)
    assert measured.axialDiameterMm == pytest.approx(best[0])
    assert 0 < measured.axialPerpendicularMm <= measured.axialDiameterMm


def test_a_transform_that_scales_changes_lengths_and_volume_but_not_intensities(scene, scan):
    node = with_lesion(scan)
    before = measureSegment(node, "s0", scan)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(vtk_matrix(np.diag((2.0, 2.0, 2.0, 1.0))))
    for each in (scan, node):
        each.SetAndObserveTransformNodeID(transform.GetID())
    after = measureSegment(node, "s0", scan)
    assert after.volumeMl == pytest.approx(8 * before.volumeMl)
    for attribute in ("longestDiameterMm", "axialDiameterMm", "axialPerpendicularMm"):
        assert getattr(after, attribute) == pytest.approx(2 * getattr(before, attribute))
    assert (after.mean, after.median, after.voxels) == (before.mean, before.median, before.voxels)


def test_on_a_finer_grid_the_size_is_that_of_the_segmentation(scene, scan, add_volume):
    finer = np.eye(4)
    finer[:3, :3] = OBLIQUE[:3, :3] / 2
    finer[:3, 3] = OBLIQUE[:3, 3] - OBLIQUE[:3, :3] @ (0.25, 0.25, 0.25)
    fine = add_volume(np.zeros((24, 40, 48), np.uint8), finer, "Fine")
    doubled = lesion().whole((24, 20, 12)).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    node = with_lesion(fine, cropped(doubled))
    measured, coarse = measureSegment(node, "s0", scan), measureSegment(with_lesion(scan), "s0", scan)
    assert measured.voxels == 8 * coarse.voxels
    assert measured.volumeMl == pytest.approx(coarse.volumeMl)
    assert (measured.mean, measured.median) == (coarse.mean, coarse.median)


def test_an_empty_segment_measures_nothing(scan):
    measured = measureSegment(segmentation_on(scan), "s0", scan)
    assert (measured.voxels, measured.volumeMl, measured.longestDiameterMm) == (0, 0.0, 0.0)
    assert math.isnan(measured.mean)
    assert math.isnan(measured.median)


def test_a_single_voxel_has_no_spread(scan):
    measured = measureSegment(
        with_lesion(scan, Mask(((3, 4), (5, 6), (7, 8)), np.ones((1, 1, 1), np.bool_))), "s0", scan
    )
    assert measured.standardDeviation == 0.0
    assert measured.mean == measured.minimum == measured.maximum == voxels_of(scan)[7, 5, 3]


def test_intensities_of_a_ct_are_hounsfield_units(scan):
    node = with_lesion(scan)
    assert measureSegment(node, "s0", scan).unit == ""
    scan.SetAttribute("DICOM.Modality", "CT")
    assert measureSegment(node, "s0", scan).unit == "HU"


def test_what_is_not_there_is_told_of(scan):
    with pytest.raises(SceneError):
        measureSegment(segmentation_on(scan), "nowhere", scan)
    with pytest.raises(VolumeError):
        measureSegment(segmentation_on(scan), "s0", None)


def test_the_table_has_a_row_for_each_segment_and_titles_with_units(scene, scan):
    scan.SetAttribute("DICOM.Modality", "CT")
    node = with_lesion(scan)
    node.GetSegmentation().AddEmptySegment("s1", "left\tlobe")
    node.GetSegmentation().GetSegment("s0").SetName("Tumour")
    table = updateTable(scene, node, ["s0", "s1"], scan)
    text = tableText(table)
    titles, first, second = (line.split("\t") for line in text.splitlines())
    assert titles[:3] == ["Segment", "Volume (mL)", "Longest diameter (mm)"]
    assert titles[5:7] == ["Mean (HU)", "SD (HU)"]
    assert first[0] == "Tumour"
    measured = measureSegment(node, "s0", scan)
    assert float(first[1]) == round(measured.volumeMl, 3)
    assert float(first[6]) == round(measured.standardDeviation, 2)
    assert second == ["left lobe", "0", "0", "0", "0", "", "", "", "", ""]
    assert table.GetColumnUnitLabel("Volume (mL)") == "mL"


def test_a_table_is_filled_again_and_one_that_was_removed_is_made_anew(scene, scan):
    node = with_lesion(scan)
    table = updateTable(scene, node, ["s0"], scan)
    assert updateTable(scene, node, [], scan, table) is table
    assert len(tableText(table).splitlines()) == 1
    assert updateTable(scene, node, ["s0"], scan, table).GetNumberOfRows() == 1
    with pytest.raises(SceneError):
        updateTable(scene, node, ["s0", "nowhere"], scan, table)
    assert table.GetNumberOfRows() == 1
    scene.RemoveNode(table)
    assert updateTable(scene, node, ["s0"], scan, table) is not table
