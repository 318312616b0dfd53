"""Undo and redo of a segmentation: points and voxels in step, and every step as small as what it changed.

The history knows nothing of the scene. Who uses it writes the mask that a step leads to, and the record beside it:

    step = history.undo()
    mask = step.difference.apply(mask)          # the same difference leads both ways
    write mask and step.before; for redo() write mask and step.after
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from msam.protocol.masks import EMPTY, Box, Mask, changed, shape_kji
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.segment_record import SegmentRecord
from MSAMSegmentLib.translation import tr as _

# The oldest step is forgotten beyond this many, with what it took from other segments.
LEVELS = 200


class StepKind(StrEnum):
    """What made a step."""

    POINTS = "points"
    REFINEMENT = "refinement"
    HAND_EDIT = "hand edit"
    CLEAR = "clear"
    TAKEN = "taken"  # voxels that the step after this one took from another segment; both are one step for the user


@dataclass(frozen=True)
class MaskDiff:
    """Where two masks of a segment differ. Applied to either of them it gives the other.

    Attributes:
        box: ((i0, i1), (j0, j1), (k0, k1)) on the segmentation's grid, half-open; all zero when nothing differs.
        packed: one bit for each voxel of the box, set where the masks differ, compressed; b"" when nothing differs.
    """

    box: Box
    packed: bytes

    @classmethod
    def between(cls, before: Mask, after: Mask) -> MaskDiff:
        """The difference of two masks on the same grid."""
        later = changed(before, after)
        if not later.voxels.size:
            return NOTHING
        differing = before.within(later.box) ^ later.voxels
        return cls(later.box, zlib.compress(np.packbits(differing).tobytes()))

    def apply(self, mask: Mask) -> Mask:
        """The other mask, cropped to what is set in it; a new one unless nothing differs."""
        if self.isEmpty:
            return mask
        shape = shape_kji(self.box)
        bits = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        differing = Mask(self.box, np.unpackbits(bits, count=math.prod(shape)).view(np.bool_).reshape(shape))
        if not mask.voxels.size:
            return changed(EMPTY, differing)
        i, j, k = ((min(a0, b0), max(a1, b1)) for (a0, a1), (b0, b1) in zip(mask.box, self.box, strict=True))
        around: Box = (i, j, k)
        return changed(EMPTY, Mask(around, mask.within(around) ^ differing.within(around)))

    @property
    def isEmpty(self) -> bool:
        """Whether the masks are alike."""
        return not self.packed


NOTHING = MaskDiff(((0, 0), (0, 0), (0, 0)), b"")


@dataclass(frozen=True)
class Step:
    """What one action did to one segment.

    Attributes:
        segmentId: the segment.
        difference: of its masks before and after.
        before: its record before, without points that nothing had answered yet: undoing takes those back, too.
        after: its record after.
        kind: what made the step.
        description: of the action, for the undo and redo buttons, such as "positive point".
    """

    segmentId: str
    difference: MaskDiff
    before: SegmentRecord
    after: SegmentRecord
    kind: StepKind
    description: str


class History:
    """The steps of one segmentation, of all its segments in the order in which they were made."""

    def __init__(self, levels: int = LEVELS) -> None:
        self._levels = levels
        self._done: list[Step] = []
        self._undone: list[Step] = []  # the next to be redone is the last

    def push(self, step: Step) -> None:
        """Adds a step that was just made; what had been undone cannot be redone any more."""
        self._undone.clear()
        self._done.append(step)
        # What a step took from others comes before it, and goes with it.
        ends = [place for place, each in enumerate(self._done, 1) if each.kind != StepKind.TAKEN]
        if len(ends) > self._levels:
            del self._done[: ends[-self._levels - 1]]

    def undo(self) -> Step:
        """The step to take back now: its `difference` leads to the mask before, and `before` is the record then.

        Raises:
            SceneError: there is nothing to undo.
        """
        if not self._done:
            raise SceneError(_("There is nothing to undo."))
        step = self._done.pop()
        self._undone.append(step)
        return step

    def redo(self) -> Step:
        """The step to make again now: its `difference` leads to the mask after, and `after` is the record then.

        Raises:
            SceneError: there is nothing to redo.
        """
        if not self._undone:
            raise SceneError(_("There is nothing to redo."))
        step = self._undone.pop()
        self._done.append(step)
        return step

    @property
    def nextUndo(self) -> Step | None:
        """The step that `undo` would take back."""
        return self._done[-1] if self._done else None

    @property
    def nextRedo(self) -> Step | None:
        """The step that `redo` would make again."""
        return self._undone[-1] if self._undone else None

    @property
    def canUndo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def canRedo(self) -> bool:
        """Whether there is a step to make again."""
        return bool(self._undone)

    @property
    def undoDescription(self) -> str:
        """What `undo` would take back; "" for nothing."""
        return self._done[-1].description if self._done else ""

    @property
    def redoDescription(self) -> str:
        """What `redo` would make again; "" for nothing."""
        return self._undone[-1].description if self._undone else ""

    def travelled(self, expected: Mapping[str, Mask], found: Mapping[str, Mask]) -> int:
        """How many steps someone else went through this history, as Slicer's own undo does.

        Args:
            expected: the masks of the segments, by their ids, as this history left them.
            found: the masks of the same segments as they are now. Steps of segments that are not given are passed over.

        Returns:
            The fewest steps that lead from the one to the other: -2 after two undos, 1 after a redo. 0 when no
            number of steps does, or none is needed.
        """
        if _alike(expected, found):
            return 0
        back = _steps_to(reversed(self._done), expected, found)
        forth = _steps_to(reversed(self._undone), expected, found)
        if back and (not forth or back <= forth):
            return -back
        return forth

    def dropSegment(self, segmentId: str) -> None:
        """Forgets the steps of a segment that was removed."""
        self._done = [step for step in self._done if step.segmentId != segmentId]
        self._undone = [step for step in self._undone if step.segmentId != segmentId]

    def clear(self) -> None:
        """Forgets everything."""
        self._done.clear()
        self._undone.clear()

    def __len__(self) -> int:
        """The number of steps kept, undone ones included."""
        return len(self._done) + len(self._undone)

    @property
    def nbytes(self) -> int:
        """The memory that differences, states and masks of the steps take; what steps share is counted once."""
        held: dict[int, int] = {}
        for step in (*self._done, *self._undone):
            held[id(step.difference)] = len(step.difference.packed)
            for record in (step.before, step.after):
                held[id(record.state)] = len(record.state)
                if record.base is not None:
                    held[id(record.base.state)] = len(record.base.state)
                    held[id(record.base.mask)] = record.base.mask.voxels.nbytes
        return sum(held.values())


def _steps_to(steps: Iterable[Step], start: Mapping[str, Mask], goal: Mapping[str, Mask]) -> int:
    masks = dict(start)
    for number, step in enumerate(steps, 1):
        if step.segmentId in masks:
            masks[step.segmentId] = step.difference.apply(masks[step.segmentId])
            if _alike(masks, goal):
                return number
    return 0


def _alike(some: Mapping[str, Mask], others: Mapping[str, Mask]) -> bool:
    return all(not changed(mask, others[segment]).voxels.size for segment, mask in some.items())
