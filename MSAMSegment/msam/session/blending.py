"""From logits of regions to the mask of the volume."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from msam.region import Box, paste
from msam.session.answer import Answer, Float32
from msam.session.boxes import NO_BOX, common, part, shape_kji, shifted, tight_box, union
from msam.session.lattice import share_at_voxels
from msam.session.masks import EMPTY, CroppedMask
from msam.session.run import Run
from msam.volume import Volume

# Logits are interpolated for this many voxels at a time (16 MB), however large the object is.
VOXELS_AT_ONCE = 1 << 22


def mask_of(volume: Volume, whole: Answer, windows: Sequence[Answer], run: Run) -> CroppedMask:
    """The mask at the volume's own voxels: where the interpolated logits are above zero.

    The windows' logits take the place of those of the whole, fading out towards the rim of each window; they may lead
    beyond its region. Logits are blended, never masks, so there are no seams.

    Args:
        volume: the scan.
        whole: the answer that shows the whole object.
        windows: closer looks at parts of it; the weights of overlapping ones add up to at most 1.
        run: is polled for a cancel.
    """
    box = _reach(volume, whole)
    for window in windows:
        box = union(box, _reach(volume, window))
    if box == NO_BOX:
        return EMPTY
    with run.timed("paste"):
        # As bits until it is known what is set: an object as large as the scan would fill two arrays of its size.
        tight: Box = NO_BOX
        slabs: list[tuple[Box, npt.NDArray[np.uint8]]] = []
        for slab in _slabs(box):
            run.poll()
            inside = _logits(volume, whole, windows, slab) > 0
            tight = union(tight, shifted(tight_box(inside), slab))
            slabs.append((slab, np.packbits(inside)))
        if 0 in shape_kji(tight):
            return EMPTY
        crop = np.zeros(shape_kji(tight), np.bool_)
        for slab, bits in slabs:
            inside = np.unpackbits(bits, count=math.prod(shape_kji(slab))).view(np.bool_).reshape(shape_kji(slab))
            both = common(slab, tight)
            part(crop, tight, both)[...] = part(inside, slab, both)
        crop.setflags(write=False)
        return CroppedMask(tight, crop)


def _logits(volume: Volume, whole: Answer, windows: Sequence[Answer], slab: Box) -> Float32:
    """The blended logits at the voxels of a part of the volume."""
    from_afar = np.zeros(shape_kji(slab), np.float32)
    visible = common(whole.region.box(volume), slab)
    if visible != NO_BOX:
        part(from_afar, slab, visible)[...] = paste(whole.logits, volume, whole.region, visible)[1]
    logits = from_afar.copy() if windows else from_afar
    for window in windows:
        seen = common(window.region.box(volume), slab)
        if seen == NO_BOX:
            continue
        _, closely = paste(window.logits, volume, window.region, seen)
        closely -= part(from_afar, slab, seen)
        part(logits, slab, seen)[...] += share_at_voxels(volume, window.region, seen) * closely
    return logits


def _reach(volume: Volume, answer: Answer) -> Box:
    """A box that holds all voxels where the interpolated logits of an answer can be above zero."""
    cells = np.argwhere(answer.logits > 0)
    if not len(cells):
        return NO_BOX
    # Halfway between the centres of two cells, and beyond, the nearer one is not alone: one more half cell.
    ends = np.stack((cells.min(axis=0) - 0.5, cells.max(axis=0) + 1.5)) * answer.region.size / len(answer.logits) - 0.5
    corners = answer.region.to_ijk(volume, ends)
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    i, j, k = ((int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return common((i, j, k), answer.region.box(volume))


def _slabs(box: Box) -> Iterator[Box]:
    i, j, (first, last) = box
    depth = max(1, VOXELS_AT_ONCE // ((i[1] - i[0]) * (j[1] - j[0])))
    for start in range(first, last, depth):
        yield i, j, (start, min(last, start + depth))
