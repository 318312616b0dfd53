"""What the state machine of the logic does to the logic and to the model at once."""

from __future__ import annotations

from logic_model import Model, ModelSegment

from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.scans import Scan


class Hands:
    """The hands of a user, and a model that knows what must come of it."""

    logic: MSAMSegmentLogic
    model: Model

    @property
    def selected(self) -> str:
        return self.logic.selectedSegment

    @property
    def segment(self) -> ModelSegment:
        return self.model.segments[self.selected]

    def world(self, place: tuple[float, float, float]) -> tuple[float, ...]:
        return tuple(Scan.of(self.logic.inputVolume).toWorld(place))

    def click(self, place: tuple[float, float, float], positive: bool) -> None:
        segment = self.segment
        self.model.look(self.selected)
        segment.lastIdentifier += 1
        assert self.logic.addPoint(self.world(place), positive) == segment.lastIdentifier
        segment.points = (*segment.points, Point(segment.lastIdentifier, place, positive))

    def pick(self, which: int) -> Point:
        return self.segment.points[which % len(self.segment.points)]

    def change(self, point: Point, by: tuple[Point, ...]) -> None:
        now = self.segment.points
        if point not in now:  # a look has just taken it back
            return
        self.segment.points = tuple(each for one in now for each in (by if one == point else (one,)))
        self.settle()

    def settle(self, name: str | None = None) -> None:
        self.wait()
        self.model.settle(self.selected if name is None else name)

    def wait(self) -> None:
        assert self.logic.waitUntilIdle(60)
