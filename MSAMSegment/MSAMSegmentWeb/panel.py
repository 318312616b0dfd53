"""Shows in the browser what the logic knows: segments, points, status, result, history."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Any

import slicer
from trame_server.state import State

from msam.errors import MsamError
from MSAMSegmentLib import LogicEvent, MSAMSegmentLogic
from MSAMSegmentWeb.colours import to_hex
from MSAMSegmentWeb.hints import Situation, hint
from MSAMSegmentWeb.numbers import measurement_rows
from MSAMSegmentWeb.views import Views

# Predicted overlap with the truth from which a mask is likely right, or worth correcting.
GOOD, FAIR = 0.7, 0.5

# After which measures follow a change.
MEASURE_SECONDS = 0.15
# By how much masks change their size before the 3D view is turned to them again.
MUCH = 1.4

EMPTY_HISTORY = {"canUndo": False, "canRedo": False, "undo": "", "redo": ""}
NOTHING: dict[str, Any] = {
    "segments": [],
    "selected": "",
    "points": [],
    "placing": "",
    "measures": [],
    "quality": None,
    "history": EMPTY_HISTORY,
    "preview": False,
    "hint": {"title": "", "text": ""},
    "error": "",
    "can_retry": False,
}


class Panel:
    """Listens to the logic and writes the page's state; never changes anything in the scene."""

    def __init__(self, state: State, logic: MSAMSegmentLogic, views: Views) -> None:
        self._state, self._logic, self._views = state, logic, views
        self._known: tuple[int, ...] = ()
        self._framed = 0.0
        self._steps = 0
        self._hints = True
        self._measuring: asyncio.TimerHandle | None = None
        state.update(NOTHING)
        self._refreshers = {
            LogicEvent.STATUS: (self._status, self._hint),
            LogicEvent.POINTS: (self._points, self._segments, self._hint),
            LogicEvent.SEGMENTS: (self._segments, self._measures),
            LogicEvent.SELECTION: (self._segments, self._points, self._quality, self._measures, self._hint),
            LogicEvent.RESULT: (self._result, self._quality, self._measures, self._segments, self._frame, self._hint),
            LogicEvent.HISTORY: (self._history, self._quality, self._measures),
            LogicEvent.PREVIEW: (self._preview,),
            LogicEvent.ENGINE: (self._engine, self._status),
            LogicEvent.ERROR: (self._error,),
            LogicEvent.SETTINGS: (self._settings,),
            LogicEvent.PLACING: (self._placing,),
        }
        logic.addListener(self._on_event)
        self.refresh()

    def refresh(self) -> None:
        """Writes everything anew."""
        with self._state:
            for event, refreshers in self._refreshers.items():
                if event is not LogicEvent.ERROR:
                    for refresher in refreshers:
                        refresher()

    def start_anew(self) -> None:
        """Forgets what was seen of the scan before; its numbers must not stand beside the next one's name."""
        self._known, self._framed, self._steps = (), 0.0, 0
        with self._state:
            self._state.measures = []
        self.refresh()

    def say(self, error: str) -> None:
        """Shows an error."""
        with self._state:
            self._state.error, self._state.can_retry = error, False

    def dismiss_hint(self) -> None:
        """No hints any more."""
        self._hints = False
        with self._state:
            self._hint()

    def _on_event(self, event: LogicEvent) -> None:
        with self._state:
            for refresher in self._refreshers.get(event, ()):
                refresher()

    def _segments(self) -> None:
        node = self._logic.segmentation
        rows = []
        for identifier in self._logic.segmentIds():
            segment = node.GetSegmentation().GetSegment(identifier)
            rows.append(
                {
                    "id": identifier,
                    "name": segment.GetName(),
                    "colour": to_hex(segment.GetColor()),
                    "visible": is_shown(node, identifier),
                    "points": len(self._logic.points(identifier)),
                }
            )
        self._state.segments = rows
        self._state.selected = self._logic.selectedSegment or ""

    def _points(self) -> None:
        points = self._logic.points()
        self._state.points = [
            {"id": point["identifier"], "positive": point["positive"], "place": _place(point["positionRas"])}
            for point in points
        ]
        known = tuple(point["identifier"] for point in points)
        if len(known) == len(self._known) + 1 and known[:-1] == self._known:
            self._views.jump(points[-1]["positionRas"])
        self._known = known

    def _status(self) -> None:
        status = self._logic.status
        self._state.status = {
            "words": status.words,
            "fraction": status.fraction,
            "busy": status.isBusy,
            "cancellable": status.isCancellable,
        }
        if status.isBusy:
            self._state.error = ""

    def _result(self) -> None:
        if self._logic.lastResult is not None:
            self._steps += 1
            self._state.error = ""

    def _quality(self) -> None:
        expected = self._logic.expectedOverlap()
        self._state.quality = None if expected is None else _graded(expected)

    def _measures(self) -> None:
        """Measures a little later, once for all that happens at a time: a mask is seen first, then measured."""
        if self._measuring is None:
            self._measuring = asyncio.get_running_loop().call_later(MEASURE_SECONDS, self._measure)

    def _measure(self) -> None:
        self._measuring = None
        rows: list[dict[str, str]] = []
        if self._logic.selectedSegment and self._logic.inputVolume is not None:
            with suppress(MsamError):
                rows = measurement_rows(self._logic.measurements())
        with self._state:
            self._state.measures = rows

    def _history(self) -> None:
        logic = self._logic
        self._state.history = {
            "canUndo": logic.canUndo,
            "canRedo": logic.canRedo,
            "undo": logic.undoDescription if logic.canUndo else "",
            "redo": logic.redoDescription if logic.canRedo else "",
        }

    def _preview(self) -> None:
        self._state.preview = bool(self._logic.isPreviewing)

    def _engine(self) -> None:
        engine = self._logic.engine
        self._state.engine = {"state": engine.state, "words": engine.words}

    def _error(self) -> None:
        self._state.error, self._state.can_retry = self._logic.lastError, True

    def _settings(self) -> None:
        settings = self._logic.settings
        self._state.iterations = settings.refineIterations
        self._state.preview_wanted = settings.previewRefinement
        self._state.overwrite = settings.overwrite.name
        self._state.show_3d = settings.show3D

    def _placing(self) -> None:
        placing = self._logic.placing
        self._state.placing = "" if placing is None else "positive" if placing else "negative"

    def _hint(self) -> None:
        situation = Situation(
            has_scan=self._logic.inputVolume is not None,
            points=len(self._logic.points()) if self._logic.selectedSegment else 0,
            has_mask=self._logic.expectedOverlap() is not None,
            is_busy=self._logic.isBusy,
            steps=self._steps,
        )
        self._state.hint = hint(situation) if self._hints else {"title": "", "text": ""}

    def _frame(self) -> None:
        """Turns the 3D view to the masks: to the first, and when they have become much larger or smaller."""
        node, result = self._logic.segmentation, self._logic.lastResult
        if node is None or result is None or result.isEmpty:
            return
        bounds = [0.0] * 6
        node.GetRASBounds(bounds)
        size = math.dist(bounds[::2], bounds[1::2])
        if not self._framed / MUCH < size < self._framed * MUCH:
            self._framed = size
            self._views.look_at(_wider(bounds))


def _wider(bounds: list[float]) -> list[float]:
    """A box with some room around it."""
    room = 0.15 * max(bounds[axis + 1] - bounds[axis] for axis in (0, 2, 4))
    return [value + (-room if index % 2 == 0 else room) for index, value in enumerate(bounds)]


def _place(position: Any) -> str:
    ends = zip(("RL", "AP", "SI"), (float(value) for value in position), strict=True)
    return "  ".join(f"{pair[value < 0]} {abs(value):.0f}" for pair, value in ends)


def _graded(expected: float) -> dict[str, Any]:
    grade = "good" if expected >= GOOD else "fair" if expected >= FAIR else "poor"
    return {"percent": round(100 * expected), "grade": grade}


def is_shown(node: slicer.vtkMRMLSegmentationNode, identifier: str) -> bool:
    """Whether a segment is seen."""
    display = node.GetDisplayNode()
    return display is None or bool(display.GetSegmentVisibility(identifier))
