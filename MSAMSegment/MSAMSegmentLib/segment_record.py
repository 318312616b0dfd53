"""What is kept about a segment beside its voxels: its clicks, and how its mask came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from msam.protocol.masks import Mask, changed
from MSAMSegmentLib.points import Point


@dataclass(frozen=True, eq=False)
class Base:
    """A mask that was made or changed by hand, from which the clicks go on.

    Attributes:
        mask: on the segmentation's grid, of the whole segment.
        seen: the points, as they were then, that it accounts for.
        state: of the engine at that time; b"" for none.
    """

    mask: Mask
    seen: tuple[Point, ...] = ()
    state: bytes = b""

    def __eq__(self, other: object) -> bool:
        """Whether voxels, points and state are alike."""
        if not isinstance(other, Base):
            return NotImplemented
        same = (self.seen, self.state) == (other.seen, other.state)
        return self is other or (same and not changed(self.mask, other.mask).voxels.size)

    def __hash__(self) -> int:
        """By what compares quickly."""
        return hash((self.seen, self.state))


@dataclass(frozen=True)
class SegmentRecord:
    """The clicks of a segment, and how its mask came about.

    Attributes:
        points: all clicks in the order of their placement, answered or not.
        state: the engine's, opaque, of its last answer; b"" for none.
        quality: the overlap with the truth that the engine expected of its last answer, 0 to 1.
        base: what lies beneath the clicks; None when they started from nothing.
        answered: the points that the mask was made from, in the order in which the engine got them; with a hidden one
            (`stepping.HIDDEN`) where one was sent.
        volumeIdentity: which volume the state belongs to; "" for unknown.
        lastIdentifier: the highest identifier that any click ever had.
        warning: what could not be read of this record, for the user; "" when all is well. It is not saved.
    """

    points: tuple[Point, ...] = ()
    state: bytes = b""
    quality: float | None = None
    base: Base | None = None
    answered: tuple[Point, ...] = ()
    volumeIdentity: str = ""
    lastIdentifier: int = 0
    warning: str = field(default="", compare=False)

    @property
    def nextIdentifier(self) -> int:
        """The identifier for a new click; no click of this segment ever had it."""
        seen = self.base.seen if self.base else ()
        return 1 + max(self.lastIdentifier, *(point.identifier for point in (*self.points, *self.answered, *seen)), 0)

    @property
    def isEmpty(self) -> bool:
        """Whether there is nothing worth keeping."""
        return not self.lastIdentifier and self == SegmentRecord()

    def withPoints(self, points: Sequence[Point]) -> SegmentRecord:
        """With other clicks; identifiers of removed ones are not given again."""
        last = max(self.nextIdentifier - 1, *(point.identifier for point in points), 0)
        return replace(self, points=tuple(points), lastIdentifier=last)
