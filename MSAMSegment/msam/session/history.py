"""Undo and redo: points and masks in step, and every step as small as what it changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from msam.errors import PromptError
from msam.session.masks import EMPTY, CroppedMask, Difference
from msam.session.prompts import Point, Prompts
from msam.session.state import State

# The oldest step is forgotten beyond this many.
STEPS = 100


@dataclass(frozen=True)
class HandMade:
    """A mask that was set by hand, and from where segmentation goes on after it.

    Attributes:
        mask: the mask that the next step gets as its prompt.
        seen: the points that had been segmented before; they are not decoded again on top of it.
        state: of the last step before; it tells which region of interest was in use.
    """

    mask: CroppedMask
    seen: tuple[Point, ...]
    state: State | None


@dataclass(frozen=True)
class Snapshot:
    """Everything that a step ends with, apart from the mask, which the history keeps as differences.

    Attributes:
        prompts: the points.
        state: of the last step that ran; None before the first.
        hand_made: the last mask that was set by hand, from which a replay starts.
        awaits_step: the mask set by hand has not been the prompt of a step yet.
        edited: points have changed and nothing has been segmented since.
    """

    prompts: Prompts = field(default_factory=Prompts)
    state: State | None = None
    hand_made: HandMade | None = None
    awaits_step: bool = False
    edited: bool = False


class History:
    """The line of snapshots and the place on it.

    Changes of points join the step that segments them: undoing it takes back both.
    """

    def __init__(self) -> None:
        self.mask = EMPTY
        self._snapshots = [Snapshot()]
        self._differences: list[Difference] = []  # number n lies between the snapshots n and n + 1
        self._at = 0

    @property
    def now(self) -> Snapshot:
        """The current snapshot; `mask` is its mask."""
        return self._snapshots[self._at]

    @property
    def segmented(self) -> Snapshot:
        """The last snapshot without changed points: what the current mask was made from."""
        return self._snapshots[self._at - 1] if self.now.edited else self.now

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to take again."""
        return self._at < len(self._snapshots) - 1

    def commit(self, snapshot: Snapshot, mask: CroppedMask) -> Difference:
        """Puts a snapshot at the end, in the place of what had been undone and of changed points.

        Returns:
            How the mask differs from the one before.
        """
        difference = Difference.between(self.mask, mask)
        # The mask of a snapshot with changed points is that of the one before it: nothing is lost between them.
        keep = self._at if self.now.edited else self._at + 1
        self._snapshots = [*self._snapshots[:keep], snapshot][-(STEPS + 1) :]
        self._differences = [*self._differences[: keep - 1], difference][-STEPS:]
        self._at = len(self._snapshots) - 1
        self.mask = mask
        return difference

    def undo(self) -> Difference:
        """One step back.

        Raises:
            PromptError: there is none.
        """
        if not self.can_undo:
            raise PromptError("There is nothing to undo.")
        return self._go(self._at - 1, self._differences[self._at - 1])

    def redo(self) -> Difference:
        """One step forward again.

        Raises:
            PromptError: there is none.
        """
        if not self.can_redo:
            raise PromptError("There is nothing to redo.")
        return self._go(self._at + 1, self._differences[self._at])

    def _go(self, place: int, difference: Difference) -> Difference:
        self.mask = difference.apply(self.mask)
        self._at = place
        return difference
