"""Windows that overlap and share every place between them smoothly."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from msam.config import ModelConfig
from msam.region import Box, Region
from msam.session.answer import Float32
from msam.session.zoom import Spacing
from msam.volume import Volume

Floats = npt.NDArray[np.float64]
Index = tuple[int, int, int]

# The share of a window that the next one overlaps.
OVERLAP = 0.25


@dataclass(frozen=True)
class Lattice:
    """Windows side by side along R, A and S.

    Attributes:
        origin: the window with the index (0, 0, 0).
    """

    origin: Region

    @classmethod
    def over(cls, volume: Volume, config: ModelConfig, spacing: Spacing, extent: Floats) -> Lattice:
        """Windows laid out evenly over an object, as few as hold it apart from the fading rim of the outermost ones.

        Args:
            volume: the scan.
            config: of the model.
            spacing: of the windows.
            extent: (N, 3) corners of the object in voxels (i, j, k).
        """
        middle = Region.around((extent.min(axis=0) + extent.max(axis=0)) / 2, config.roi_size, spacing)
        widths = np.ptp(middle.to_roi(volume, extent), axis=0) / config.roi_size
        counts = np.maximum(1, np.ceil((widths + OVERLAP) / (1 - OVERLAP)))
        first = config.roi_size // 2 - (counts - 1) / 2 * (1 - OVERLAP) * config.roi_size
        return cls(Region.around(middle.to_ijk(volume, first), config.roi_size, spacing))

    def window(self, volume: Volume, index: Index) -> Region:
        """The window with an index."""
        size = self.origin.size
        centre = self.origin.to_ijk(volume, size // 2 + np.asarray(index) * (1 - OVERLAP) * size)
        return Region.around(centre, size, self.origin.spacing)

    def indices(self, volume: Volume, extent: Floats) -> tuple[range, range, range]:
        """Along R, A and S: the indices of the windows that see a part of an object with these corners (N, 3)."""
        size = self.origin.size
        seen = (self.origin.to_roi(volume, extent) + 0.5) / size
        first = np.floor((seen.min(axis=0) - 1) / (1 - OVERLAP)).astype(int) + 1
        stop = np.ceil(seen.max(axis=0) / (1 - OVERLAP)).astype(int)
        r, a, s = (range(int(low), int(high)) for low, high in zip(first, stop, strict=True))
        return r, a, s


def neighbours(index: Index) -> list[Index]:
    """The 26 windows that overlap a window."""
    r, a, s = index
    return [(r + x, a + y, s + z) for x, y, z in itertools.product((-1, 0, 1), repeat=3) if (x, y, z) != (0, 0, 0)]


def overlap(step: int, m: int) -> tuple[slice, slice]:
    """Along one axis, the cells that a window shares with the one `step` (-1, 0 or 1) further.

    Windows overlap by whole cells, because m is a multiple of 4.

    Returns:
        The cells as those of the window itself, and as those of the other one.
    """
    shared = m if step == 0 else round(OVERLAP * m)
    start, end = slice(0, shared), slice(m - shared, m)
    return (start, end) if step < 0 else (end, start)


def share_of_cells(m: int) -> Float32:
    """The weight of a window at its own cells, (m, m, m)."""
    along = _fading((np.arange(m) + 0.5) / m)
    return np.asarray(along[:, None, None] * along[:, None] * along, dtype=np.float32)


def share_at_voxels(volume: Volume, window: Region, box: Box) -> Float32:
    """The weight of a window at the voxels of a box, (k1 - k0, j1 - j0, i1 - i0)."""
    order = volume.orientation.axes

    def along(axis: int) -> Floats:
        positions = np.zeros((box[axis][1] - box[axis][0], 3))
        positions[:, axis] = np.arange(*box[axis])
        return _fading((window.to_roi(volume, positions)[:, order.index(axis)] + 0.5) / window.size)

    return np.asarray(along(2)[:, None, None] * along(1)[:, None] * along(0), dtype=np.float32)


def _fading(share: Floats) -> Floats:
    """From a place in a window, 0 to 1 along its width: 1 in the middle, smoothly down to 0 over the overlap.

    Neighbouring windows add up to 1.
    """
    ramp = np.clip(np.minimum(share, 1 - share) / OVERLAP, 0.0, 1.0)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))
