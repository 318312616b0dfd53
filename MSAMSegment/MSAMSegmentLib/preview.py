"""A refinement that waits to be accepted or rejected."""

from __future__ import annotations

from dataclasses import dataclass

from MSAMSegmentLib.history import StepKind
from MSAMSegmentLib.wants import Want


@dataclass(eq=False)
class Preview:
    """The steps of one refinement, which are in the history already.

    Attributes:
        want: what asked for them.
        steps: how many there are by now.
    """

    want: Want
    steps: int = 0

    def reject(self) -> None:
        """Takes the steps back, as far as nothing else came on top of them."""
        work = self.want.work
        for _ in range(self.steps):
            step = work.history.nextUndo
            if step is None or step.kind != StepKind.REFINEMENT or step.segmentId != self.want.segmentId:
                return
            work.undo()
