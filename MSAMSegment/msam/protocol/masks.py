"""Masks: a box of the volume, and one bit for each of its voxels. Outside the box a mask is empty.

bits    ceil(K' J' I' / 8) bytes: the voxels in the order [k, j, i], i fastest, eight to a byte, the first of them
        in the highest bit; unused bits at the end are zero
packed  the bits as one zlib stream; nothing at all for an empty box
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.protocol.compression import decompress, deflate
from msam.protocol.names import LARGEST_PACKED_MASK, LONGEST_AXIS
from msam.protocol.problems import ProtocolError

Span = tuple[int, int]
Box = tuple[Span, Span, Span]
Bools = npt.NDArray[np.bool_]

NO_BOX: Box = ((0, 0), (0, 0), (0, 0))
# A ball of 96 voxels a side takes 1 ms and 3 kB at this level, a third of the bytes of the quickest.
LEVEL = 6


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask of a whole volume.

    Attributes:
        box: ((i0, i1), (j0, j1), (k0, k1)), half-open; all zero for an empty mask.
        voxels: bool (k1 - k0, j1 - j0, i1 - i0).
    """

    box: Box
    voxels: Bools

    def within(self, box: Box) -> Bools:
        """The mask inside any box of the volume, (K', J', I'), a new array."""
        out = np.zeros(shape_kji(box), np.bool_)
        both = tuple((max(a0, b0), min(a1, b1)) for (a0, a1), (b0, b1) in zip(self.box, box, strict=True))
        if all(start < stop for start, stop in both):
            out[_slices(both, box)] = self.voxels[_slices(both, self.box)]
        return out

    def whole(self, shape_ijk: tuple[int, int, int]) -> Bools:
        """The mask of the whole volume, bool (K, J, I)."""
        i, j, k = shape_ijk
        return self.within(((0, i), (0, j), (0, k)))


EMPTY = Mask(NO_BOX, np.zeros((0, 0, 0), np.bool_))


def cropped(mask_kji: npt.NDArray[Any]) -> Mask:
    """A mask of the whole volume, cropped to what is set in it; any number but zero is set."""
    spans = []
    for axis in (2, 1, 0):
        others = tuple(other for other in range(3) if other != axis)
        at = np.flatnonzero(mask_kji.any(axis=others))
        if not at.size:
            return EMPTY
        spans.append((int(at[0]), int(at[-1]) + 1))
    box: Box = (spans[0], spans[1], spans[2])
    whole: Box = tuple((0, length) for length in mask_kji.shape[::-1])  # type: ignore[assignment]
    return Mask(box, np.array(mask_kji[_slices(box, whole)], dtype=np.bool_))


def changed(before: Mask, after: Mask) -> Mask:
    """What to write where: the smallest box that holds every voxel in which two masks differ, and the later mask in it.

    The box is all zero when nothing has changed.
    """
    if 0 in shape_kji(before.box) or 0 in shape_kji(after.box):
        around = before.box if 0 in shape_kji(after.box) else after.box
    else:
        pairs = zip(before.box, after.box, strict=True)
        i, j, k = ((min(a0, b0), max(a1, b1)) for (a0, a1), (b0, b1) in pairs)
        around = (i, j, k)
    later = after.within(around)
    differing = cropped(before.within(around) ^ later)
    if not differing.voxels.size:
        return EMPTY
    inner = tuple((start, stop) for start, stop in differing.box)
    i, j, k = ((start + first, stop + first) for (start, stop), (first, _) in zip(inner, around, strict=True))
    (i0, i1), (j0, j1), (k0, k1) = inner
    return Mask((i, j, k), later[k0:k1, j0:j1, i0:i1])


def pack(mask: Mask) -> bytes:
    """The bits of a mask, compressed."""
    return deflate(np.packbits(mask.voxels).tobytes(), LEVEL) if mask.voxels.size else b""


def unpack(box: Box, packed: bytes | memoryview, shape_ijk: tuple[int, int, int]) -> Mask:
    """The mask that was packed.

    Args:
        box: where it lies.
        packed: from `pack`.
        shape_ijk: of the volume. The box must lie in it, which bounds the memory that is taken.

    Raises:
        ProtocolError: the box does not lie in the volume, or the bits do not fill it.
    """
    check_box(box)
    if any(stop > length for (_, stop), length in zip(box, shape_ijk, strict=True)):
        raise ProtocolError(f"The box {box} of the mask reaches beyond the volume of {shape_ijk} voxels.")
    voxels = math.prod(shape_kji(box))
    if not voxels:
        if packed:
            raise ProtocolError("The mask has an empty box and bits nevertheless.")
        return EMPTY
    bits = decompress(packed, -(-voxels // 8), "The mask")
    flat = np.unpackbits(np.frombuffer(bits, np.uint8), count=voxels)
    return Mask(box, flat.view(np.bool_).reshape(shape_kji(box)))


def check_box(box: Box) -> None:
    """Makes sure that a box is one.

    Raises:
        ProtocolError: it ends before it starts, starts below zero, or is larger than any volume.
    """
    if not all(0 <= start <= stop <= LONGEST_AXIS for start, stop in box):
        raise ProtocolError(
            f"The box {box} of the mask is none: each span runs from 0 upwards, at most {LONGEST_AXIS}."
        )


def check_packed(packed: bytes | memoryview) -> None:
    """Makes sure that a packed mask is not longer than masks are.

    Raises:
        ProtocolError: it is.
    """
    if len(packed) > LARGEST_PACKED_MASK:
        raise ProtocolError(f"The mask came with {len(packed)} bytes; at most {LARGEST_PACKED_MASK} are read.")


def shape_kji(box: Box) -> tuple[int, int, int]:
    """The shape of the array of a box."""
    (i0, i1), (j0, j1), (k0, k1) = box
    return k1 - k0, j1 - j0, i1 - i0


def _slices(box: Any, around: Any) -> tuple[slice, slice, slice]:
    i, j, k = (slice(start - first, stop - first) for (start, stop), (first, _) in zip(box, around, strict=True))
    return k, j, i
