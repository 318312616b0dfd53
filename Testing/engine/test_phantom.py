"""The phantom: an anatomy that looks like a CT, with lesions whose truth is right."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import ndimage

from msam.phantom import Lesion, thorax_phantom
from msam.volume import Volume

Phantom = tuple[Volume, np.ndarray, list[Lesion]]


@pytest.fixture(scope="module")
def the_phantom() -> Phantom:
    return thorax_phantom()


def test_it_is_a_ct_with_axes_as_scanners_store_them(the_phantom: Phantom) -> None:
    volume, labels, _ = the_phantom
    assert volume.is_ct and volume.voxels.dtype == np.int16 and volume.voxels.shape == labels.shape == (96, 160, 160)
    assert np.array_equal(np.sign(volume.ijk_to_ras[:3, :3]), np.diag([-1, -1, 1]))
    assert len(set(volume.spacing.round(3))) == 3
    volume.check()
    assert np.allclose(volume.to_ijk((0, 0, 0), "ras"), (79.5, 79.5, 47.5))


def test_it_has_the_tissues_of_a_thorax(the_phantom: Phantom) -> None:
    voxels = the_phantom[0].voxels
    shares = {
        "air": (voxels < -950).mean(),
        "lung": ((voxels > -900) & (voxels < -780)).mean(),
        "fat": ((voxels > -140) & (voxels < -70)).mean(),
        "soft tissue": ((voxels > 0) & (voxels < 180)).mean(),
        "bone": (voxels > 250).mean(),
    }
    smallest = {"air": 0.25, "lung": 0.08, "fat": 0.05, "soft tissue": 0.2, "bone": 0.005}
    assert all(shares[tissue] > share for tissue, share in smallest.items()), shares


@pytest.mark.parametrize("seed", range(4))
def test_each_lesion_is_one_piece_of_the_volume_it_states(seed: int) -> None:
    volume, labels, lesions = thorax_phantom((48, 96, 96), seed)
    voxel_ml = abs(np.linalg.det(volume.ijk_to_ras)) / 1000
    assert [lesion.name for lesion in lesions] == ["lung nodule", "liver lesion", "chest wall mass"]
    assert labels.max() == len(lesions)
    for label, lesion in enumerate(lesions, start=1):
        i, j, k = lesion.centre_ijk
        assert labels[k, j, i] == label
        assert lesion.volume_ml == pytest.approx((labels == label).sum() * voxel_ml, rel=1e-6)
        assert 2 < lesion.volume_ml < 150
        assert ndimage.label(labels == label)[1] == 1


def test_each_lesion_differs_from_what_surrounds_it(the_phantom: Phantom) -> None:
    volume, labels, lesions = the_phantom
    for label in range(1, len(lesions) + 1):
        lesion = ndimage.binary_erosion(labels == label, iterations=2)
        ring = ndimage.binary_dilation(labels == label, iterations=4) & ~ndimage.binary_dilation(
            labels == label, iterations=2
        )
        assert abs(volume.voxels[lesion].mean() - volume.voxels[ring].mean()) > 25
        assert volume.voxels[lesion].std() < 20


def test_lesions_are_irregular(the_phantom: Phantom) -> None:
    volume, labels, lesions = the_phantom
    for label, lesion in enumerate(lesions, start=1):
        surface = (labels == label) & ~ndimage.binary_erosion(labels == label)
        distances = np.linalg.norm((np.argwhere(surface)[:, ::-1] - lesion.centre_ijk) * volume.spacing, axis=1)
        assert distances.std() > 0.06 * distances.mean()


def test_the_same_seed_gives_the_same_phantom_and_another_another() -> None:
    first, again, other = (thorax_phantom((24, 40, 40), seed) for seed in (3, 3, 4))
    assert np.array_equal(first[0].voxels, again[0].voxels) and first[2] == again[2]
    assert not np.array_equal(first[1], other[1])


def test_it_is_made_within_three_seconds() -> None:
    started = time.process_time()
    thorax_phantom()
    assert time.process_time() - started < 3.0
