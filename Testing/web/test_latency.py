"""How long the page itself takes between a click and a mask that is seen."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

import pytest
from desk import Desk, at_the_desk

# The promise for two cores without a GPU; others may be at work beside these tests.
PROMISED_SECONDS = 0.6
BUSY_FACTOR = 3.0

# Looks at every frame of the browser whether a plane shows colour, which only masks and points have. `places` are
# where to look, as shares of each picture, beside the point.
WATCH = """(places) => {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
  canvas.width = canvas.height = 3;
  window.seen = {};
  addEventListener("pointerdown", () => {
    const begun = performance.now();
    const look = () => {
      for (const [tag, [x, y]] of Object.entries(places)) {
        const picture = document.querySelector(`.view-${tag} img`);
        if (!picture || !picture.naturalWidth || window.seen[tag]) continue;
        pen.drawImage(picture, x * picture.naturalWidth - 1, y * picture.naturalHeight - 1, 3, 3, 0, 0, 3, 3);
        const [red, green, blue] = pen.getImageData(1, 1, 1, 1).data;
        if (Math.max(red, green, blue) - Math.min(red, green, blue) > 40) window.seen[tag] = performance.now() - begun;
      }
      if (Object.keys(window.seen).length < Object.keys(places).length) requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
}"""

TAGS = ("Red", "Green", "Yellow")
# Off the point in all three planes, within the ball of 8 mm that the stand-in draws.
BESIDE = (33, 28, 21.5)
MIDDLE = (30, 25, 20)
ROUNDS = 5


@pytest.mark.parametrize("size", [(1280, 800), (2560, 1440)], ids=["1280", "2560"])
def test_a_mask_is_seen_soon_after_the_click(
    chromium: str, scan_file: Path, pictures: Path, size: tuple[int, int]
) -> None:
    taken: list[float] = []

    async def scenario(desk: Desk) -> None:
        await desk.load(scan_file)
        for _ in range(ROUNDS):
            desk.served.views.jump(desk.world(MIDDLE))
            places = {}
            for tag in TAGS:
                x, y = await desk.point_at(tag, desk.world(BESIDE))
                box = await desk.page.locator(f".view-{tag} img").bounding_box()
                assert box is not None
                places[tag] = ((x - box["x"]) / box["width"], (y - box["y"]) / box["height"])
            await desk.point_at("Red", desk.world(MIDDLE))
            await asyncio.sleep(0.5)
            await desk.page.evaluate(WATCH, places)
            await desk.page.mouse.down()
            await desk.page.mouse.up()
            await desk.page.wait_for_function("Object.keys(window.seen).length === 3", timeout=30_000)
            taken.append(max((await desk.page.evaluate("window.seen")).values()) / 1000)
            await desk.idle()
            await desk.page.mouse.move(10, 400)
            await desk.page.click(".btn-clear")
            await desk.until(lambda: not desk.logic.points(), "the clearing")
            await asyncio.sleep(0.6)

    at_the_desk(chromium, scenario, size=size)
    (pictures / f"click-to-mask-{size[0]}.txt").write_text(" ".join(f"{seconds:.2f} s" for seconds in taken))
    # The stand-in answers at once, so all of this is the page, the scene and the browser.
    assert statistics.median(taken) < PROMISED_SECONDS * BUSY_FACTOR, taken
