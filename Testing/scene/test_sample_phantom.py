"""The made-up scan that the tutorial begins with."""

from __future__ import annotations

import time

import numpy as np
import pytest
from vtk.util.numpy_support import vtk_to_numpy

from MSAMSegmentLib.sample_phantom import LESIONS, addPhantom, ijkToRas, phantomVoxels
from MSAMSegmentLib.scans import Scan


@pytest.fixture(scope="module")
def voxels() -> np.ndarray:
    return phantomVoxels()


def distances(centre: tuple[float, float, float], shape: tuple[int, ...]) -> np.ndarray:
    """Distance in mm of every voxel [k, j, i] from a place, by the matrix as it stands."""
    indices = np.stack(np.indices(shape)[::-1], axis=-1)
    to_ras = ijkToRas()
    return np.linalg.norm(indices @ to_ras[:3, :3].T + to_ras[:3, 3] - centre, axis=-1)


@pytest.mark.parametrize("lesion", range(len(LESIONS)))
def test_a_lesion_is_even_and_stands_out_from_what_surrounds_it(voxels, lesion):
    centre, radius = LESIONS[lesion]
    distance = distances(centre, voxels.shape)
    inside = voxels[distance < radius - 2.5]
    around = voxels[(distance > radius + 2.5) & (distance < radius + 5)]
    assert 8 < inside.std() < 18
    # Against the organ that it lies in, whatever else may come near.
    assert abs(np.median(around) - inside.mean()) > 3 * inside.std()
    assert (np.abs(around.astype(float) - inside.mean()) < 2 * inside.std()).mean() < 0.2


@pytest.mark.parametrize("lesion", [0, 1, 2])
def test_a_nodule_of_the_lung_has_the_size_that_is_told(voxels, lesion):
    centre, radius = LESIONS[lesion]
    count = int(((voxels > -400) & (distances(centre, voxels.shape) < radius + 5)).sum())
    assert count * 2.5**3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.1)


def test_lesions_lie_apart_and_inside(voxels):
    for number, (centre, radius) in enumerate(LESIONS):
        ijk = (np.linalg.inv(ijkToRas()) @ [*centre, 1])[:3]
        assert np.all(ijk - radius / 2.5 > 0)
        assert np.all(ijk + radius / 2.5 < np.array(voxels.shape[::-1]) - 1)
        for other, size in LESIONS[:number]:
            assert np.linalg.norm(np.subtract(centre, other)) > radius + size + 5


def test_it_is_the_same_each_time_and_quickly_made(voxels):
    begin = time.process_time()
    again = phantomVoxels()
    assert time.process_time() - begin < 1
    np.testing.assert_array_equal(again, voxels)


def test_it_comes_into_the_scene_as_a_ct_that_can_be_segmented(scene, voxels):
    node = addPhantom(scene)
    scan = Scan.of(node)
    assert node.GetName() == "MSAMSegment phantom"
    assert scan.modality == "CT"
    assert scan.shapeIjk == (128, 128, 80)
    assert scan.voxels.dtype == np.int16
    np.testing.assert_array_equal(scan.voxels, voxels)
    np.testing.assert_array_equal(scan.ijkToRas, ijkToRas())
    for centre, _ in LESIONS:
        i, j, k = np.rint(scan.toIjk(centre)).astype(int)
        assert -100 < scan.voxels[k, j, i] < 150


def test_it_is_shown_in_a_window_that_tells_lesions_from_what_surrounds_them(scene):
    node = addPhantom(scene)
    display = node.GetDisplayNode()
    assert not display.GetAutoWindowLevel()
    assert (display.GetWindow(), display.GetLevel()) == (400, 40)
    display.UpdateImageDataPipeline()
    pipeline = display.GetImageDataConnection().GetProducer()
    pipeline.Update()
    shades = vtk_to_numpy(pipeline.GetOutput().GetPointData().GetScalars())[:, 0].reshape(80, 128, 128)
    for centre, radius in LESIONS:
        distance = distances(centre, shades.shape)
        inside, around = shades[distance < radius - 2.5], shades[(distance > radius + 2.5) & (distance < radius + 5)]
        assert abs(inside.mean() - np.median(around)) > 20
