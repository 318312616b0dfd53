"""What the logic tells its faces: events, where things stand, and the outcome of a step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LogicEvent(StrEnum):
    """What has changed. Listeners read the new value from the logic itself.

    STATUS: `status`. POINTS: the points of the selected segment. SEGMENTS: segments were added, removed, renamed,
    coloured, shown or hidden. SELECTION: another volume, segmentation or segment is in use. RESULT: a step was written
    (`lastResult`). HISTORY: what undo and redo would do. PREVIEW: `isPreviewing`. ENGINE: `engine`. ERROR: something
    failed (`lastError`). SETTINGS: `settings`. PLACING: `placing`.
    """

    STATUS = "status"
    POINTS = "points"
    SEGMENTS = "segments"
    SELECTION = "selection"
    RESULT = "result"
    HISTORY = "history"
    PREVIEW = "preview"
    ENGINE = "engine"
    ERROR = "error"
    SETTINGS = "settings"
    PLACING = "placing"


@dataclass(frozen=True)
class Status:
    """Where things stand.

    Attributes:
        words: a sentence for people.
        fraction: of the work under way, 0 to 1; None when that is not known or nothing is under way.
        isBusy: something is under way.
        isCancellable: `cancel` would end it.
    """

    words: str
    fraction: float | None = None
    isBusy: bool = False
    isCancellable: bool = False


@dataclass(frozen=True)
class Result:
    """The outcome of the last step that was written.

    Attributes:
        segmentId: whose.
        quality: predicted intersection over union, 0 to 1.
        seconds: from the request to the written mask.
        message: the engine's words.
        iterations: decoding steps that ran.
        modelName, deviceName: what made the mask, and where.
        isEmpty: the mask holds no voxel.
    """

    segmentId: str
    quality: float
    seconds: float
    message: str
    iterations: int
    modelName: str
    deviceName: str
    isEmpty: bool
