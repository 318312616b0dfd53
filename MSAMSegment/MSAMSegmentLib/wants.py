"""What a segment wants of the engine, and what the engine is working on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer

from msam.protocol.masks import Mask
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.stepping import Ask
from MSAMSegmentLib.worked_segmentation import WorkedSegmentation


@dataclass(eq=False)
class Want:
    """A segment that wants an answer to its points, and then some refinements.

    Attributes:
        iterations: refinements still to come.
        wanted: how many there were at first.
        lastAnswer: the mask of the refinement before, on the segmentation's grid.
    """

    work: WorkedSegmentation
    segmentId: str
    volume: slicer.vtkMRMLScalarVolumeNode
    iterations: int = 0
    wanted: int = 0
    lastAnswer: Mask | None = None

    def concerns(self, node: Any, segmentId: str | None = None) -> bool:
        """Whether it has to do with a volume, a segmentation, or one segment of that."""
        return node in (self.work.node, self.volume) and segmentId in (None, self.segmentId)


@dataclass(frozen=True, eq=False)
class Run:
    """What the engine is working on."""

    want: Want
    scan: Scan
    ask: Ask
    isRefinement: bool
    startedAt: float
