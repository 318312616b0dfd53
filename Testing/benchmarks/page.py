"""How long users of the page wait: until it is up, and from a click to a mask that is seen in all three planes.

    python -m Testing.benchmarks.page

The stand-in of the engine answers at once, so what is measured of a click is the page, the scene and the browser. The
last line is the figures as JSON, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "MSAMSegment"
sys.path[:0] = [str(SOURCES), *(str(ROOT / "Testing" / part) for part in ("web", "scene", ""))]
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
os.environ["TRAME_ARGS"] = ""

import SimpleITK as sitk
from desk import Desk, at_the_desk
from web_scan import little_scan

CHROMIUM = "/usr/bin/chromium"
SIZES = {"1280": (1280, 800), "2560": (2560, 1440)}
ROUNDS = 7
TAGS = ("Red", "Green", "Yellow")
# Off the point in all three planes, within the ball of 8 mm that the stand-in draws.
BESIDE, MIDDLE = (33, 28, 21.5), (30, 25, 20)

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


def click_to_mask(size: tuple[int, int]) -> float:
    """Seconds from pressing the mouse to the mask in the last of the planes; the median of some clicks."""
    taken: list[float] = []

    async def scenario(desk: Desk) -> None:
        await desk.load(scan)
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

    with tempfile.TemporaryDirectory() as folder:
        scan = Path(folder) / "little.nii.gz"
        sitk.WriteImage(little_scan(), str(scan))
        at_the_desk(CHROMIUM, scenario, size=size)
    return median(taken)


def start() -> float:
    """Seconds until the page with the sample scan is up."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "msam", "app", "--demo", "--no-browser", "--port", "0"],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - began
        process.send_signal(signal.SIGTERM)
    return seconds


def main() -> None:
    figures = {"start of the page": start()}
    if Path(CHROMIUM).exists():
        figures |= {f"click to mask, {name} pixels": click_to_mask(size) for name, size in SIZES.items()}
    else:
        print("Without Debian's chromium, clicks are not measured.", file=sys.stderr)
    print(json.dumps(figures))
    from MSAMSegmentWeb.ending import end_process

    end_process(0)


if __name__ == "__main__":
    main()
