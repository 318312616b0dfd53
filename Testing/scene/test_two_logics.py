"""Two logics on one scene, as the panel's and a script's: each point counts once, and both have the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from logic_fixtures import at, click, logic, transport
from stand_in_engine import StandInTransport

from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.prompt_nodes import find_nodes

__all__ = ["logic", "transport"]

LONG_ENOUGH = 100  # pumps until a logic has followed what another one did


@pytest.fixture
def others(scene: Any) -> StandInTransport:
    """The engine of the other logic."""
    return StandInTransport()


@pytest.fixture
def other(logic: MSAMSegmentLogic, others: StandInTransport) -> Iterator[MSAMSegmentLogic]:
    """A second logic, made while the first one is at work."""
    click(logic, 30, 25, 20)
    made = MSAMSegmentLogic(others)
    made.engine.useThisComputer("python")
    made.show3D(False)
    yield made
    made.close()


def marks(logic: MSAMSegmentLogic) -> list[tuple[float, ...]]:
    """What the views show, in voxels, the positive ones first."""
    toIjk = logic._scan().toIjk
    found = []
    for node in (*find_nodes(logic.scene, True), *find_nodes(logic.scene, False)):
        for index in range(node.GetNumberOfControlPoints()):
            world = [0.0, 0.0, 0.0]
            node.GetNthControlPointPositionWorld(index, world)
            found.append(tuple(round(float(each), 3) + 0.0 for each in toIjk(world)))
    return found


def ijks(logic: MSAMSegmentLogic) -> list[tuple[float, ...]]:
    """The points of the selected segment, in voxels, the positive ones first."""
    points = sorted(logic.points(), key=lambda point: not point["positive"])
    return [
        tuple(round(float(each), 3) + 0.0 for each in logic._scan().toIjk(point["positionRas"])) for point in points
    ]


@pytest.fixture
def agreed(logic: MSAMSegmentLogic, other: MSAMSegmentLogic, transport: StandInTransport, others: StandInTransport):
    """Checks that after a while both logics and the views have exactly these points, in voxels."""

    def check(*expected: tuple[float, ...]) -> None:
        for _ in range(LONG_ENOUGH):
            transport.pump()
            others.pump()
        assert ijks(logic) == ijks(other) == marks(logic) == list(expected)
        assert logic.lastError == other.lastError == ""

    return check


def test_what_one_does_by_call_is_no_click_to_the_other(logic: MSAMSegmentLogic, other: MSAMSegmentLogic, agreed: Any):
    first, second, third = (30, 25, 20), (35, 25, 20), (40, 30, 20)
    click(other, *second)
    agreed(first, second)
    click(logic, *third, positive=False)
    agreed(first, second, third)
    other.movePoint(2, at(other, 34, 25, 20))
    agreed(first, (34, 25, 20), third)
    logic.removePoint(2)
    agreed(first, third)
    logic.undo()
    agreed(first, (34, 25, 20), third)
    other.clearPoints()
    agreed()
    other.undo()
    agreed(first, (34, 25, 20), third)


def test_points_that_follow_each_other_at_once_do_not_echo(
    logic: MSAMSegmentLogic, other: MSAMSegmentLogic, agreed: Any
):
    places = [(10 + 3 * number, 25, 20) for number in range(8)]
    for number, place in enumerate(places):
        (other, logic)[number % 2].addPoint(at(logic, *place))
    agreed((30, 25, 20), *places)


def test_a_click_of_the_user_counts_once(logic: MSAMSegmentLogic, other: MSAMSegmentLogic, agreed: Any):
    other.addPoint(at(logic, 35, 25, 20))
    positive, negative = find_nodes(logic.scene, True)[0], find_nodes(logic.scene, False)[0]
    positive.AddControlPointWorld(*at(logic, 20, 25, 20))
    agreed((30, 25, 20), (35, 25, 20), (20, 25, 20))
    negative.AddControlPointWorld(*at(logic, 40, 30, 20))
    agreed((30, 25, 20), (35, 25, 20), (20, 25, 20), (40, 30, 20))
    for event in (positive.PointStartInteractionEvent, None, positive.PointEndInteractionEvent):
        if event is None:
            positive.SetNthControlPointPositionWorld(1, *at(logic, 36, 25, 20))
        else:
            positive.InvokeEvent(event)
    assert marks(logic)[1] == (36, 25, 20)  # at once, and not only after both have followed
    agreed((30, 25, 20), (36, 25, 20), (20, 25, 20), (40, 30, 20))
    positive.RemoveNthControlPoint(0)
    agreed((36, 25, 20), (20, 25, 20), (40, 30, 20))


def test_a_point_by_call_is_no_click_while_the_other_places(
    logic: MSAMSegmentLogic, transport: StandInTransport, others: StandInTransport, scene: Any
):
    logic.startPlacing(True)
    second = MSAMSegmentLogic(others)
    second.engine.useThisComputer("python")
    second.show3D(False)
    click(second, 30, 25, 20)
    click(second, 35, 25, 20)
    transport.pump(LONG_ENOUGH)
    assert ijks(logic) == ijks(second) == marks(logic) == [(30, 25, 20), (35, 25, 20)]
    assert logic.lastError == second.lastError == ""
    second.close()
    find_nodes(scene, True)[0].AddControlPointWorld(*at(logic, 20, 25, 20))
    assert logic.waitUntilIdle(60)
    assert ijks(logic) == marks(logic) == [(30, 25, 20), (35, 25, 20), (20, 25, 20)]


def test_nodes_that_are_deleted_come_back_with_the_points_of_both(
    logic: MSAMSegmentLogic, other: MSAMSegmentLogic, agreed: Any, scene: Any
):
    click(other, 35, 25, 20)
    agreed((30, 25, 20), (35, 25, 20))
    scene.RemoveNode(find_nodes(scene, True)[0])
    agreed((30, 25, 20), (35, 25, 20))
    assert [len(find_nodes(scene, sign)) for sign in (True, False)] == [1, 1]
    find_nodes(scene, True)[0].AddControlPointWorld(*at(logic, 20, 25, 20))
    agreed((30, 25, 20), (35, 25, 20), (20, 25, 20))
