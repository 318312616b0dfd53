"""The axial, coronal and sagittal slice through a point, laid out as radiologists look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from msam.volume import Volume

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """How one of the three planes is looked at. Directions count R, A, S as 0, 1, 2; the sign is -1 for L, P, I.

    Attributes:
        name: "axial", "coronal" or "sagittal".
        across: direction that points to the right of the picture.
        up: direction that points to its top.
        through: direction at right angles to it.
        letters: at the left, right, bottom and top of the picture.
    """

    name: str
    across: tuple[int, int]
    up: tuple[int, int]
    through: int
    letters: tuple[str, str, str, str]


# The patient faces the reader: the right side is at the left of the picture, the nose of a sagittal view too.
VIEWS = (
    View("axial", across=(0, -1), up=(1, 1), through=2, letters=("R", "L", "P", "A")),
    View("coronal", across=(0, -1), up=(2, 1), through=1, letters=("R", "L", "I", "S")),
    View("sagittal", across=(1, -1), up=(2, 1), through=0, letters=("A", "P", "I", "S")),
)


class Plane:
    """One slice of a volume along its own axes, the nearest to a `View` that needs no interpolation.

    Positions in the picture are in mm from the centre of the pixel at its lower left: x to the right, y up.
    """

    def __init__(self, volume: Volume, view: View, ijk: npt.ArrayLike) -> None:
        """The slice through the voxel nearest to `ijk`."""
        axes, signs = volume.orientation
        self.view = view
        self._across, self._up, self._through = axes[view.across[0]], axes[view.up[0]], axes[view.through]
        self._flip_across = signs[view.across[0]] != view.across[1]
        self._flip_up = signs[view.up[0]] != view.up[1]
        self._shape_ijk = volume.shape_ijk
        self._spacing = volume.spacing
        self.index = int(np.clip(np.rint(np.asarray(ijk)[self._through]), 0, self._shape_ijk[self._through] - 1))

    @property
    def pixel(self) -> tuple[float, float]:
        """Width and height of a pixel in mm."""
        return float(self._spacing[self._across]), float(self._spacing[self._up])

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the picture in mm, from the first pixel's centre to the last one's."""
        width, height = self._shape_ijk[self._across] - 1, self._shape_ijk[self._up] - 1
        return width * self.pixel[0], height * self.pixel[1]

    def cut(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The pixels of a (K, J, I) array: rows from bottom to top, columns from left to right. A view, not a copy."""
        pixels: npt.NDArray[Any] = np.moveaxis(array, (2 - self._through, 2 - self._up, 2 - self._across), (0, 1, 2))[
            self.index
        ]
        return pixels[:: -1 if self._flip_up else 1, :: -1 if self._flip_across else 1]

    def place(self, ijk: npt.ArrayLike) -> tuple[float, float, float]:
        """Where a position (i, j, k) falls: x and y in mm, and its distance from the plane in slices."""
        point = np.asarray(ijk, dtype=np.float64)
        column, row = point[self._across], point[self._up]
        if self._flip_across:
            column = self._shape_ijk[self._across] - 1 - column
        if self._flip_up:
            row = self._shape_ijk[self._up] - 1 - row
        width, height = self.pixel
        return float(column * width), float(row * height), float(abs(point[self._through] - self.index))


def planes_through(volume: Volume, ijk: npt.ArrayLike) -> tuple[Plane, ...]:
    """The three planes through a position (i, j, k): axial, coronal, sagittal."""
    return tuple(Plane(volume, view, ijk) for view in VIEWS)
