"""Masks kept as small as they are: a tight box and the voxels in it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.region import Box
from msam.session.boxes import NO_BOX, common, part, shape_kji, shifted, tight_box, union

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CroppedMask:
    """A mask of a whole volume, cropped to what is set in it.

    Attributes:
        box: ((i0, i1), (j0, j1), (k0, k1)), half-open and tight; all zero for an empty mask.
        voxels: bool (k1 - k0, j1 - j0, i1 - i0), read-only.
    """

    box: Box
    voxels: Bools

    @classmethod
    def cropped(cls, box: Box, voxels: npt.NDArray[Any]) -> CroppedMask:
        """The mask that has these voxels in a box, which need not be tight, and nothing elsewhere."""
        inner = tight_box(voxels)
        crop = np.array(part(voxels, NO_BOX, inner), dtype=np.bool_, order="C")
        crop.setflags(write=False)
        return cls(shifted(inner, box) if crop.size else NO_BOX, crop)

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is set."""
        return self.voxels.size == 0

    @property
    def count(self) -> int:
        """Number of voxels set."""
        return int(np.count_nonzero(self.voxels))

    def within(self, box: Box) -> Bools:
        """The mask inside any box of the volume, (K', J', I'), a new array."""
        out = np.zeros(shape_kji(box), np.bool_)
        both = common(self.box, box)
        part(out, box, both)[...] = part(self.voxels, self.box, both)
        return out

    def with_voxel(self, ijk: tuple[int, int, int], value: bool) -> CroppedMask:
        """With one voxel set or cleared."""
        i, j, k = ijk
        voxel: Box = ((i, i + 1), (j, j + 1), (k, k + 1))
        if bool(part(self.voxels, self.box, common(self.box, voxel)).any()) == value:
            return self
        box = union(self.box, voxel)
        voxels = self.within(box)
        part(voxels, box, voxel)[...] = value
        return CroppedMask.cropped(box, voxels)

    def whole(self, shape_ijk: tuple[int, int, int]) -> Bools:
        """The mask of the whole volume, bool (K, J, I)."""
        i, j, k = shape_ijk
        return self.within(((0, i), (0, j), (0, k)))


EMPTY = CroppedMask.cropped(NO_BOX, np.zeros((0, 0, 0), np.bool_))


@dataclass(frozen=True)
class Difference:
    """What tells two masks apart; it leads from each of them to the other.

    Attributes:
        box: the smallest that holds all voxels that differ; all zero when none does.
        packed: those voxels, one bit each, compressed.
    """

    box: Box
    packed: bytes

    @classmethod
    def between(cls, one: CroppedMask, other: CroppedMask) -> Difference:
        """The difference of two masks of the same volume."""
        if one is other:
            return NO_DIFFERENCE
        around = union(one.box, other.box)
        differing = CroppedMask.cropped(around, one.within(around) ^ other.within(around))
        return cls(differing.box, zlib.compress(np.packbits(differing.voxels).tobytes()))

    def apply(self, mask: CroppedMask) -> CroppedMask:
        """The other one of the two masks."""
        shape = shape_kji(self.box)
        bits = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        differing = np.unpackbits(bits, count=int(np.prod(shape))).astype(np.bool_).reshape(shape)
        around = union(mask.box, self.box)
        voxels = mask.within(around)
        part(voxels, around, self.box)[...] ^= differing
        return CroppedMask.cropped(around, voxels)


NO_DIFFERENCE = Difference(NO_BOX, zlib.compress(b""))
