"""What the tests of the logic share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from stand_in_engine import StandInTransport

from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segments import readMask


@pytest.fixture
def transport() -> StandInTransport:
    """The stand-in engine."""
    return StandInTransport()


@pytest.fixture
def logic(transport: StandInTransport, scene: Any, volumeNode: Any) -> Iterator[MSAMSegmentLogic]:
    """A logic with a scan and the stand-in engine."""
    logic = MSAMSegmentLogic(transport)
    logic.engine.useThisComputer("python")
    logic.show3D(False)
    logic.setInputVolume(volumeNode)
    yield logic
    logic.close()


def at(logic: MSAMSegmentLogic, *ijk: float) -> tuple[float, ...]:
    """The place of a voxel in the world."""
    return tuple(Scan.of(logic.inputVolume).toWorld(ijk))


def voxels(logic: MSAMSegmentLogic, segmentId: str | None = None) -> np.ndarray:
    """The whole mask of a segment, [k, j, i] of the segmentation's grid, which is the scan's here."""
    mask = readMask(logic.segmentation, logic.selectedSegment if segmentId is None else segmentId)
    return mask.whole(Scan.of(logic.inputVolume).shapeIjk)


def click(logic: MSAMSegmentLogic, *ijk: float, positive: bool = True) -> int:
    """A point at a voxel, and its answer awaited."""
    identifier = logic.addPoint(at(logic, *ijk), positive)
    assert logic.waitUntilIdle(60)
    return identifier
