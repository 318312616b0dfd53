"""What to do about the points of a segment: what to ask the engine for, and what the record is afterwards.

The mask of a segment follows from its points alone, and from the base beneath them where there is one. All here is
pure: nothing is read from the scene and nothing written to it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from msam.protocol.masks import EMPTY, Mask
from msam.protocol.steps import ClickRecord
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.segment_record import Base, SegmentRecord

Spacing = tuple[float, float, float]

# The engine needs a positive click. Where the user placed none on a base, one in the middle of it is sent, under an
# identifier that no click of the user has.
HIDDEN = 0


@dataclass(frozen=True, eq=False)
class Ask:
    """The engine is to be asked.

    Attributes:
        points: what is sent, in this order; a hidden one comes first.
        state: of the engine; b"" to start anew.
        mask: on the volume's grid, to go on from; None without one.
        seen: how many of the points, from the first on, the mask accounts for already.
    """

    points: tuple[Point, ...]
    state: bytes = b""
    mask: Mask | None = None
    seen: int = 0

    @property
    def clicks(self) -> tuple[ClickRecord, ...]:
        """The points as they travel."""
        return tuple(ClickRecord(point.positionIjk, point.positive) for point in self.points)


@dataclass(frozen=True, eq=False)
class Restore:
    """Nothing is left beyond the base: its mask is the answer, without the engine."""

    base: Base


@dataclass(frozen=True)
class Empty:
    """No positive point is left, nor a base: the segment becomes empty."""


@dataclass(frozen=True)
class NeedsPositive:
    """There are only negative points and nothing to take away from: the user has to place a positive one."""


@dataclass(frozen=True)
class Nothing:
    """The points are answered."""


Plan = Ask | Restore | Empty | NeedsPositive | Nothing


def stepFor(
    record: SegmentRecord,
    pointsNow: Sequence[Point],
    baseOnVolumeGrid: Mask | None,
    *,
    refining: bool = False,
    spacing: Spacing = (1.0, 1.0, 1.0),
) -> Plan:
    """What the points ask for, given what has been answered.

    Args:
        record: of the segment, with the state and the points it stands for.
        pointsNow: all points there are, in the order of their placement.
        baseOnVolumeGrid: the mask of the record's base on the volume's grid, empty when it lies beside the volume;
            None when the record has no base.
        refining: an iteration is asked for, so points that are all answered do not mean that there is nothing to do.
        spacing: in mm along i, j, k of the volume; it tells where the base is deepest.

    Raises:
        ValueError: only one of the record's base and its mask on the volume's grid is given.
    """
    if (record.base is None) != (baseOnVolumeGrid is None):
        raise ValueError("a base comes with its mask on the volume's grid, and the other way round")
    points = tuple(pointsNow)
    answered = visible(record.answered)
    is_answered = set(points) == set(answered)
    has_positive = any(point.positive for point in points)
    base_mask = EMPTY if baseOnVolumeGrid is None else baseOnVolumeGrid
    if not has_positive and not base_mask.voxels.any():
        return _without_positive(record, points, is_answered)
    if is_answered and not refining:
        return Nothing()
    hidden = None if has_positive else Point(HIDDEN, deepestVoxel(base_mask, spacing), True)
    if record.state and set(answered) <= set(points) and _hidden(record.answered) == hidden:
        return Ask((*record.answered, *(point for point in points if point not in answered)), record.state)
    if record.base is None:
        return Ask(points)
    return _from_base(record.base, points, hidden, base_mask, refining)


def afterAnswer(record: SegmentRecord, asked: Ask, state: bytes, quality: float, identity: str) -> SegmentRecord:
    """The record once the engine has answered; newer points stay in it, unanswered.

    Args:
        record: as it is when the answer arrives.
        asked: what was asked.
        state: the engine's new state.
        quality: predicted intersection over union, 0 to 1.
        identity: of the volume.
    """
    return replace(record, state=state, quality=quality, answered=asked.points, volumeIdentity=identity)


def afterRestore(record: SegmentRecord, points: Sequence[Point]) -> SegmentRecord:
    """The record once the base's mask is back, or the segment is empty without a base, for the points there are."""
    return replace(record.withPoints(points), state=b"", quality=None, answered=tuple(points))


def afterHandEdit(record: SegmentRecord, mask: Mask) -> SegmentRecord:
    """The record of a segment whose mask someone else has made: drawn or changed by hand, or loaded.

    Args:
        record: as it was; an empty one for a segment that had none.
        mask: of the whole segment, on the segmentation's grid.
    """
    seen = visible(record.answered)
    base = Base(mask, seen, record.state or (record.base.state if record.base else b""))
    return replace(record, state=b"", quality=None, base=base if mask.voxels.any() or seen else None, answered=seen)


def withoutUnanswered(record: SegmentRecord) -> SegmentRecord:
    """The record with the points that its mask was made from, and no others."""
    return record.withPoints(sorted(visible(record.answered), key=lambda point: point.identifier))


def isUnanswered(record: SegmentRecord) -> bool:
    """Whether points were added, changed or removed since the mask was made."""
    return set(record.points) != set(visible(record.answered))


def stillFits(asked: Ask, pointsNow: Sequence[Point]) -> bool:
    """Whether an answer may still be taken: since it was asked for, points have been added and nothing else."""
    return set(visible(asked.points)) <= set(pointsNow)


def visible(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points without a hidden one."""
    return tuple(point for point in points if point.identifier != HIDDEN)


def deepestVoxel(mask: Mask, spacing: Spacing = (1.0, 1.0, 1.0)) -> tuple[float, float, float]:
    """The voxel (i, j, k) of a mask, not empty, that is farthest from the outside; the most central of several.

    Distances are sums along the axes in mm, which takes two sweeps along each axis.
    """
    depth = np.where(np.pad(mask.voxels, 1), np.float32(np.inf), np.float32(0))
    for axis, step in zip((2, 1, 0), spacing, strict=True):
        for sweep in (np.moveaxis(depth, axis, 0), np.moveaxis(depth, axis, 0)[::-1]):
            for before, now in itertools.pairwise(sweep):
                np.minimum(now, before + np.float32(step), out=now)
    deepest = np.argwhere(depth >= depth.max() * (1 - 1e-6))
    middle = np.argwhere(mask.voxels).mean(axis=0) + 1
    to_middle = ((deepest - middle) * spacing[::-1]) ** 2
    k, j, i = (int(value) - 1 for value in deepest[to_middle.sum(axis=1).argmin()])
    return float(mask.box[0][0] + i), float(mask.box[1][0] + j), float(mask.box[2][0] + k)


def _without_positive(record: SegmentRecord, points: tuple[Point, ...], is_answered: bool) -> Plan:
    """Without a positive point and without a mask that could give one."""
    beneath = record.base.seen if record.base else ()
    was_made = record.state or any(point.positive and point not in beneath for point in record.answered)
    if not is_answered and (was_made or not points):
        return Restore(record.base) if record.base else Empty()
    return NeedsPositive() if points else Nothing()


def _from_base(base: Base, points: tuple[Point, ...], hidden: Point | None, mask: Mask, refining: bool) -> Plan:
    """Everything again from the base: it is the answer to the points it was made with."""
    seen = tuple(point for point in points if point in base.seen)
    unseen = tuple(point for point in points if point not in base.seen)
    if not refining and not unseen and (hidden is not None or len(seen) == len(base.seen)):
        return Restore(base)
    if not mask.voxels.any():
        return Ask(points)
    known = (*(() if hidden is None else (hidden,)), *seen)
    return Ask((*known, *unseen), base.state, mask, len(known))


def _hidden(points: Sequence[Point]) -> Point | None:
    return next((point for point in points if point.identifier == HIDDEN), None)
