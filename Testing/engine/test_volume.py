"""The volume: what it accepts, where its voxels lie, what it tells of itself."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
import SimpleITK as sitk
from geometries import GEOMETRIES, geometries, ijk_to_ras, rotation
from hypothesis import given
from hypothesis import strategies as st

from msam.errors import PromptError, VolumeError
from msam.volume import Volume


def a_volume(matrix: np.ndarray | None = None, shape: tuple[int, int, int] = (4, 5, 6)) -> Volume:
    return Volume(np.arange(np.prod(shape)).reshape(shape), np.eye(4) if matrix is None else matrix)


def a_plane_of_everything(dtype: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Voxels of any number of slices in the memory of one."""
    plane = np.random.default_rng(0).integers(-100, 100, shape[1:]).astype(dtype)
    return np.broadcast_to(plane, shape)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i2", ">f4"])
def test_voxels_of_any_real_type_are_kept_without_a_copy(dtype: str) -> None:
    voxels = np.zeros((3, 4, 5), dtype)
    volume = Volume(voxels, np.eye(4))
    assert volume.voxels is voxels
    assert volume.shape_ijk == (5, 4, 3)


@pytest.mark.parametrize(
    ("voxels", "words"),
    [
        (np.zeros((5, 5)), "2 dimensions"),
        (np.zeros((5, 5, 5, 3)), "4 dimensions"),
        (np.zeros((1, 5, 5)), "two-dimensional"),
        (np.zeros((5, 5, 1)), "two-dimensional"),
        (np.zeros((0, 5, 5)), "empty"),
        (np.zeros((5, 5, 5), complex), "complex"),
        (np.zeros((5, 5, 5), object), "object"),
    ],
)
def test_what_is_no_scalar_volume_is_refused_in_words(voxels: np.ndarray, words: str) -> None:
    with pytest.raises(VolumeError, match=words):
        Volume(voxels, np.eye(4))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.diag([1.0, 1.0, 0.0, 1.0]), "no distance"),
        (ijk_to_ras(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), (1, 1, 1), (0, 0, 0)), "singular"),
        (np.diag([1.0, np.nan, 1.0, 1.0]), "finite"),
        (np.diag([1.0, 1.0, np.inf, 1.0]), "finite"),
        (np.diag([1.0, 1.0, 1.0, 2.0]), "last row"),
        (np.eye(3), "shape"),
    ],
)
def test_an_impossible_geometry_is_refused_in_words(matrix: np.ndarray, words: str) -> None:
    with pytest.raises(VolumeError, match=words):
        Volume(np.zeros((3, 3, 3)), matrix)


@given(geometries(finest=1e-3, coarsest=50))
def test_any_regular_geometry_is_accepted(matrix: np.ndarray) -> None:
    volume = a_volume(matrix)
    assert np.allclose(volume.spacing, np.linalg.norm(matrix[:3, :3], axis=0))
    assert not volume.ijk_to_ras.flags.writeable


@given(geometries(), st.tuples(*[st.floats(-50, 50)] * 3))
def test_positions_in_the_world_are_those_of_simpleitk(matrix: np.ndarray, ijk: tuple[float, float, float]) -> None:
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix
    image = sitk.Image(6, 5, 4, sitk.sitkUInt8)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    point = np.array(image.TransformContinuousIndexToPhysicalPoint(ijk))
    volume = a_volume(matrix)
    assert np.allclose(volume.to_ijk(point, "lps"), ijk, atol=1e-6)
    assert np.allclose(volume.to_ijk(point * (-1, -1, 1), "ras"), ijk, atol=1e-6)
    assert np.array_equal(volume.to_ijk(ijk, "ijk"), ijk)


@pytest.mark.parametrize("position", [(1.0, 2.0), (1.0, 2.0, np.nan), (1.0, np.inf, 2.0), "abc", None, ("a", "b", "c")])
def test_what_is_no_position_is_refused_in_words(position: object) -> None:
    with pytest.raises(PromptError, match="three finite numbers"):
        a_volume().to_ijk(position, "ijk")  # type: ignore[arg-type]


def test_an_unknown_frame_is_refused_in_words() -> None:
    with pytest.raises(PromptError, match="'ijk', 'ras' or 'lps'"):
        a_volume().to_ijk((1, 2, 3), "world")  # type: ignore[arg-type]


def test_a_volume_reaches_half_a_voxel_beyond_its_outermost_centres() -> None:
    volume = a_volume(shape=(4, 5, 6))
    for inside in ((-0.5, 0, 0), (5.5, 4.5, 3.5), (2, 2, 2)):
        assert volume.contains(inside)
    for outside in ((-0.51, 0, 0), (0, 4.51, 0), (0, 0, 3.51), (6, 0, 0)):
        assert not volume.contains(outside)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_permuted_and_flipped_axes_are_found_also_when_tilted(
    axes: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    order = np.zeros((3, 3))
    order[range(3), axes] = signs
    for tilt in (np.eye(3), rotation(0.25, -0.3, 0.2)):
        found = a_volume(ijk_to_ras(tilt @ order, (0.5, 3.0, 9.0), (1, 2, 3))).orientation
        assert found.axes == axes and found.signs == signs


@given(geometries())
def test_no_other_order_of_the_axes_comes_nearer_to_ras(matrix: np.ndarray) -> None:
    cosines = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    axes, signs = a_volume(matrix).orientation
    nearness = sum(signs[world] * cosines[world, axes[world]] for world in range(3))
    for other in itertools.permutations(range(3)):
        assert nearness >= sum(abs(cosines[world, other[world]]) for world in range(3)) - 1e-9


@pytest.mark.parametrize(
    ("modality", "lowest", "is_ct"),
    [("CT", 0, True), ("ct ", 0, True), ("MR", -1000, False), (None, -1000, True), (None, -400, False)],
)
def test_a_ct_is_told_by_modality_or_by_its_air(modality: str | None, lowest: int, is_ct: bool) -> None:
    voxels = np.zeros((70, 70, 70), np.int16)
    voxels[:30] = lowest
    assert Volume(voxels, np.eye(4), modality).is_ct is is_ct


def test_an_empty_modality_is_an_unknown_one() -> None:
    assert Volume(np.zeros((2, 2, 2)), np.eye(4), "  ").modality is None


@pytest.mark.parametrize("dtype", ["i2", "f4", "f8", "?"])
def test_a_constant_volume_is_refused_in_words(dtype: str) -> None:
    with pytest.raises(VolumeError, match="same intensity"):
        Volume(np.ones((4, 5, 6), dtype), np.eye(4)).check()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_voxels_that_are_no_numbers_are_refused_with_their_place(value: float) -> None:
    voxels = np.random.default_rng(0).normal(size=(6, 5, 4))
    voxels[3, 2, 1] = value
    with pytest.raises(VolumeError, match="1 in slice k = 3"):
        Volume(voxels, np.eye(4)).check()


@pytest.mark.parametrize("dtype", ["i2", "f4", "?"])
def test_a_sound_volume_passes_the_check(dtype: str) -> None:
    voxels = np.zeros((6, 5, 4), dtype)
    voxels[5, 4, 3] = 1
    Volume(voxels, np.eye(4)).check()


@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_checking_a_large_volume_takes_the_memory_of_a_few_slices(dtype: str) -> None:
    volume = Volume(a_plane_of_everything(dtype, (800, 512, 512)), np.eye(4))
    tracemalloc.start()
    volume.check()
    assert volume.is_ct is False
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 512 * 512 * 4


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_voxel_after_next_lies_where_the_matrix_says(name: str) -> None:
    volume = a_volume(GEOMETRIES[name])
    corner = GEOMETRIES[name][:3, 3]
    assert np.allclose(volume.to_ijk(corner + 2 * GEOMETRIES[name][:3, 1], "ras"), (0, 2, 0))
