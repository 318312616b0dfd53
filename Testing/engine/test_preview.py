"""The picture of a segmentation: planes the right way round, sensible greys, and clicks where they are."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from msam.display_window import LUNG, SOFT_TISSUE, display_window
from msam.errors import VolumeError
from msam.planes import planes_through
from msam.preview import NEGATIVE, POSITIVE, write_preview
from msam.volume import Volume

# The directions of the axes i, j, k for every flip and permutation that a file may have.
LETTERS = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
RIGHT, FRONT, UP = 1.0, 100.0, 10_000.0
orders = st.permutations([("R", "L"), ("A", "P"), ("S", "I")]).flatmap(
    lambda pairs: st.tuples(*map(st.sampled_from, pairs))
)


@dataclass(frozen=True)
class Dot:
    position_ijk: tuple[float, float, float]
    positive: bool = True


def a_volume(letters: tuple[str, ...] = ("L", "P", "S"), steps: tuple[float, ...] = (1.0, 2.0, 3.0)) -> Volume:
    """A volume of 11 × 10 × 9 voxels, each holding how far right, 100 times how far front, 10 000 times how far up."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([LETTERS[letter] for letter in letters]).T * steps
    k, j, i = np.indices((9, 10, 11))
    world = np.stack([i, j, k], axis=-1) @ affine[:3, :3].T
    return Volume(world @ (RIGHT, FRONT, UP), affine)


@given(orders)
def test_a_radiologist_sees_every_plane_the_usual_way_whatever_the_order_of_the_voxels(
    letters: tuple[str, ...],
) -> None:
    volume = a_volume(letters, steps=(1.0, 1.0, 1.0))
    steps = {}
    for plane in planes_through(volume, (4, 5, 6)):
        pixels = plane.cut(volume.voxels)
        steps[plane.view.name] = (pixels[0, 1] - pixels[0, 0], pixels[1, 0] - pixels[0, 0])
    assert steps == {"axial": (-RIGHT, FRONT), "coronal": (-RIGHT, UP), "sagittal": (-FRONT, UP)}


@given(orders, st.tuples(st.integers(0, 10), st.integers(0, 9), st.integers(0, 8)))
def test_a_click_is_drawn_on_the_pixel_of_its_voxel(letters: tuple[str, ...], ijk: tuple[int, int, int]) -> None:
    volume = a_volume(letters)
    i, j, k = ijk
    for plane in planes_through(volume, ijk):
        x, y, distance = plane.place(ijk)
        width, height = plane.pixel
        assert plane.cut(volume.voxels)[round(y / height), round(x / width)] == volume.voxels[k, j, i]
        assert distance == 0


def test_planes_are_in_true_proportion() -> None:
    axial, coronal, sagittal = planes_through(a_volume(), (0, 0, 0))
    assert (axial.size, coronal.size, sagittal.size) == ((10, 18), (10, 24), (18, 24))


class TestGreys:
    def test_soft_tissue_in_a_ct(self) -> None:
        body = np.full((20, 20, 20), 40, np.int16)
        body[:, :, 15:] = -1000
        assert display_window(Volume(body, np.eye(4), "CT"), (5, 10, 10), radius=4) == SOFT_TISSUE

    def test_lung_in_a_ct_where_the_click_is_in_the_lung(self) -> None:
        chest = np.full((20, 20, 20), -850, np.int16)
        chest[8:12, 8:12, 8:12] = 30
        assert display_window(Volume(chest, np.eye(4), "CT"), (10, 10, 10), radius=6) == LUNG

    def test_the_air_around_a_thigh_is_no_lung(self) -> None:
        j, i = np.indices((100, 100))
        thigh = np.where((j - 50) ** 2 + (i - 50) ** 2 < 25**2, 40, -1000)
        scan = Volume(np.repeat(thigh[None], 40, axis=0).astype(np.int16), np.diag([2.0, 2.0, 5.0, 1.0]), "CT")
        assert display_window(scan, (50, 50, 20), radius=80) == SOFT_TISSUE

    def test_the_air_in_a_chest_is_lung(self) -> None:
        j, i = np.indices((200, 200))
        chest = np.where((j - 100) ** 2 + (i - 100) ** 2 < 80**2, 40, -1000)
        for side in (60, 140):
            chest[(j - 100) ** 2 + (i - side) ** 2 < 30**2] = -850
        scan = Volume(np.repeat(chest[None], 40, axis=0).astype(np.int16), np.diag([2.0, 2.0, 5.0, 1.0]), "CT")
        assert display_window(scan, (100, 100, 20), radius=100) == LUNG
        assert display_window(scan, (100, 170, 20), radius=20) == SOFT_TISSUE, "in the muscle behind it"

    def test_percentiles_of_the_foreground_in_other_scans(self) -> None:
        brain = np.zeros((40, 40, 40), np.float32)
        brain[10:30, 10:30, 10:30] = np.random.default_rng(0).uniform(100, 200, (20, 20, 20))
        brain[20, 20, 20] = 100_000
        low, high = display_window(Volume(brain, np.eye(4), "MR"), (20, 20, 20), radius=5)
        assert 95 < low < 105 and 195 < high < 205

    def test_an_even_scan_still_has_a_range(self) -> None:
        low, high = display_window(Volume(np.full((4, 4, 4), 7, np.uint8), np.eye(4), "MR"), (1, 1, 1), radius=2)
        assert low < 7 < high


class TestPictures:
    @staticmethod
    def pixels_of(path: Path, color: str) -> int:
        """How many pixels have that colour, or nearly."""
        wanted = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        return int((np.abs(imread(path)[..., :3] - wanted).max(axis=-1) < 0.08).sum())

    @pytest.fixture
    def volume(self) -> Volume:
        voxels = np.random.default_rng(1).integers(0, 100, (30, 40, 50)).astype(np.int16)
        return Volume(voxels, np.diag([-1.0, -1.0, 2.5, 1.0]), "MR")

    @pytest.fixture
    def mask(self, volume: Volume) -> np.ndarray:
        mask = np.zeros(volume.voxels.shape, bool)
        mask[10:20, 10:25, 15:35] = True
        return mask

    def test_is_a_wide_png_without_anything_about_its_origin(
        self, tmp_path: Path, volume: Volume, mask: np.ndarray
    ) -> None:
        path = tmp_path / "picture.png"
        write_preview(path, volume, mask, [Dot((25, 17, 15))], truth=np.roll(mask, 2, 2), caption="3.2 mL")
        content = path.read_bytes()
        width, height = struct.unpack(">II", content[16:24])
        assert content.startswith(b"\x89PNG") and width > 2 * height > 1000
        assert b"tEXt" not in content and b"eXIf" not in content
        assert [item.name for item in tmp_path.iterdir()] == ["picture.png"]

    def test_shows_clicks_inside_green_and_outside_red(self, tmp_path: Path, volume: Volume, mask: np.ndarray) -> None:
        bare, clicked = tmp_path / "bare.png", tmp_path / "clicked.png"
        write_preview(bare, volume, mask)
        write_preview(clicked, volume, mask, [Dot((25, 17, 15)), Dot((5, 17, 15), positive=False)])
        assert self.pixels_of(bare, POSITIVE) == self.pixels_of(bare, NEGATIVE) == 0
        assert self.pixels_of(clicked, POSITIVE) > 100
        assert self.pixels_of(clicked, NEGATIVE) > 20

    @pytest.mark.parametrize("points", [[], [Dot((3, 39.4, 29.4))]])
    def test_of_an_empty_mask_is_drawn_all_the_same(self, tmp_path: Path, volume: Volume, points: list[Dot]) -> None:
        write_preview(tmp_path / "empty.png", volume, np.zeros(volume.voxels.shape, bool), points)
        assert (tmp_path / "empty.png").stat().st_size > 10_000

    def test_of_a_mask_that_fills_the_scan_has_its_contour(self, tmp_path: Path, volume: Volume) -> None:
        write_preview(tmp_path / "full.png", volume, np.ones(volume.voxels.shape, np.uint8), [Dot((49.5, 39.5, 29.5))])
        assert self.pixels_of(tmp_path / "full.png", "#ffc857") > 500

    def test_of_a_mask_of_another_scan_is_refused(self, tmp_path: Path, volume: Volume) -> None:
        with pytest.raises(VolumeError, match="must agree"):
            write_preview(tmp_path / "no.png", volume, np.ones((2, 2, 2), bool))

    def test_into_a_folder_that_is_not_there_is_refused(self, tmp_path: Path, volume: Volume, mask: np.ndarray) -> None:
        with pytest.raises(VolumeError, match="cannot be written"):
            write_preview(tmp_path / "none" / "picture.png", volume, mask)
