"""Colours that are told apart on greys, and from the green and the red of points."""

from __future__ import annotations

from typing import Any

PALETTE = ("#ffb02e", "#35c8f5", "#ff77c8", "#a98bff", "#f4e04d", "#2fd0b5", "#ff8a5c", "#7aa2ff")
# With more segments than that, the same ones again in darker shades.
SHADES = (1.0, 0.72, 0.5)

# Mostly outline, so that the scan is seen under the mask.
FILL, OUTLINE, OUTLINE_WIDTH = 0.28, 1.0, 2


def next_colour(taken: list[str]) -> tuple[float, float, float]:
    """The first of the colours that fewest segments have."""
    shades = [to_hex([shade * part for part in to_rgb(colour)]) for shade in SHADES for colour in PALETTE]
    return to_rgb(min(shades, key=taken.count))


def to_rgb(colour: str) -> tuple[float, float, float]:
    """#rrggbb as parts from 0 to 1."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def to_hex(rgb: Any) -> str:
    """The other way round."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def dress(segmentation_node: Any) -> None:
    """Makes masks look as on this page."""
    display = segmentation_node.GetDisplayNode()
    display.SetOpacity2DFill(FILL)
    display.SetOpacity2DOutline(OUTLINE)
    display.SetSliceIntersectionThickness(OUTLINE_WIDTH)
