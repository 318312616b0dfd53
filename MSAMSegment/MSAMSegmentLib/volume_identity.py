"""Which scan the points and the state of a segment belong to, and what becomes of them on another one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from msam.protocol.masks import Mask
from MSAMSegmentLib.records import Base, SegmentRecord
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.stepping import afterHandEdit, visible

# As many voxels, spread over the scan, tell it from others of the same geometry.
SAMPLES = 1 << 15
# Geometry is compared to a thousandth of a mm: NIfTI files keep it in single precision.
DECIMALS = 3


def identityOf(scan: Scan) -> str:
    """A fingerprint that a scan keeps when it is saved and loaded: of its geometry, a dash, of its voxels."""
    return f"{_geometryOf(scan)}-{_voxelsOf(scan)}"


def _geometryOf(scan: Scan) -> str:
    """The part of the fingerprint that tells where the voxels are."""
    geometry = hashlib.blake2b(repr(scan.shapeIjk).encode(), digest_size=12)
    # Adding zero turns -0 into 0.
    geometry.update((np.round(scan.ijkToRas, DECIMALS) + 0.0).astype("<f8").tobytes())
    return geometry.hexdigest()


def _voxelsOf(scan: Scan) -> str:
    """The part of the fingerprint that tells what the voxels hold."""
    flat = scan.voxels.reshape(-1)
    some = flat[:: max(1, flat.size // SAMPLES)]
    return hashlib.blake2b(some.astype("<f8").tobytes(), digest_size=12).hexdigest()


def sharesPlaces(record: SegmentRecord, scan: Scan) -> bool:
    """Whether the points of a record are places in a scan.

    They are in a scan of the same geometry, such as another frame of a sequence; and in the same scan at another
    place, once a transform was hardened on it or it was centred.
    """
    geometry, _, voxels = record.volumeIdentity.partition("-")
    return geometry in ("", _geometryOf(scan)) or voxels == _voxelsOf(scan)


def _haveCommonPlaces(one: str, other: str) -> bool:
    """Whether places in one scan are places in the other, by their fingerprints."""
    return any(mine == theirs for mine, theirs in zip(one.split("-"), other.split("-"), strict=False))


def onVolume(record: SegmentRecord, mask: Mask, identity: str) -> SegmentRecord:
    """The record for going on with on a scan; the same one when it belongs to it.

    On another scan the engine's state is of no use, so the mask becomes what the clicks go on from. The points stay
    when they are places in the new scan too, as in the next frame of a sequence (`sharesPlaces`).

    Args:
        record: of the segment.
        mask: of the segment as it is, on the segmentation's grid.
        identity: of the scan.
    """
    if record.volumeIdentity == identity:
        return record
    moved = replace(record, volumeIdentity=identity)
    if not record.volumeIdentity:
        return moved
    if not _haveCommonPlaces(record.volumeIdentity, identity):
        moved = replace(moved.withPoints(()), answered=(), base=None)
    return withoutState(moved, mask)


def withoutState(record: SegmentRecord, mask: Mask) -> SegmentRecord:
    """The record without states of the engine: the clicks go on from the mask, which accounts for the answered ones."""
    seen = visible(record.answered)
    if not mask.voxels.any() and not seen:
        return replace(record, state=b"", quality=None, base=None, answered=())
    return replace(afterHandEdit(record, mask), base=Base(mask, seen))
