"""What is seen after a click: the mask, in every plane, on the picture that the browser shows."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import slicer
from desk import PATIENCE, Desk, at_the_desk

MIDDLE = (30, 25, 20)
# Off the point in all three planes, within the ball of 8 mm that the stand-in draws; and well outside of it.
WITHIN, OUTSIDE = (33, 28, 21.5), (44, 38, 28)
TAGS = ("Red", "Green", "Yellow")

# How colourful a picture is at a place, given in shares of its sides: scans are grey, masks and points are not.
COLOUR = """([tag, x, y]) => {
  const picture = document.querySelector(`.view-${tag} img`), canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  canvas.width = canvas.height = 3;
  pen.drawImage(picture, x * picture.naturalWidth - 1, y * picture.naturalHeight - 1, 3, 3, 0, 0, 3, 3);
  const [red, green, blue] = pen.getImageData(1, 1, 1, 1).data;
  return Math.max(red, green, blue) - Math.min(red, green, blue);
}"""
COLOURFUL = 40


async def looks(desk: Desk, voxel: tuple[float, ...], *, colourful: bool) -> None:
    """Waits until all planes' pictures are colourful where a voxel lies, or until none is."""
    places = []
    for tag in TAGS:
        x, y = await desk.point_at(tag, desk.world(voxel))
        box = await desk.page.locator(f".view-{tag} img").bounding_box()
        assert box is not None
        places.append([tag, (x - box["x"]) / box["width"], (y - box["y"]) / box["height"]])
    await desk.point_at("Red", desk.world(MIDDLE))  # the point that would be placed follows, and is colourful too
    end = time.monotonic() + PATIENCE
    while {await desk.page.evaluate(COLOUR, place) > COLOURFUL for place in places} != {colourful}:
        assert time.monotonic() < end, f"the planes should{'' if colourful else ' not'} be colourful at {voxel}"
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("size", [(1280, 800), (2560, 1440)], ids=["1280", "2560"])
def test_the_mask_is_seen_in_all_planes(chromium: str, scan_file: Path, size: tuple[int, int]) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        desk.served.views.jump(desk.world(MIDDLE))
        await looks(desk, WITHIN, colourful=False)
        await desk.click("Red", desk.world(MIDDLE))
        await desk.idle()
        await looks(desk, WITHIN, colourful=True)
        await looks(desk, OUTSIDE, colourful=False)

    at_the_desk(chromium, scenario, size=size)


def test_the_point_that_would_be_placed_leaves_with_the_mouse(chromium: str, scan_file: Path) -> None:
    async def scenario(desk: Desk) -> None:
        def is_shown() -> bool:
            nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
            return any(node.GetNumberOfControlPoints() for node in nodes)

        await desk.load(scan_file)
        for tag in TAGS:
            await desk.point_at(tag, desk.world(MIDDLE))
            await desk.until(is_shown, "the point at the mouse")
            await desk.page.mouse.move(160, 700, steps=4)  # to the side, and not in one leap
            await desk.until(lambda: not is_shown(), "the end of the point at the mouse")
        await desk.click("Green", desk.world(MIDDLE))
        assert len(desk.logic.points()) == 1

    at_the_desk(chromium, scenario)
