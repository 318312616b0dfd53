"""What to do next, in a sentence, for whoever sees the page for the first time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Situation:
    """What the hint depends on.

    Attributes:
        has_scan: a scan is open.
        points: of the selected segment.
        has_mask: there is a result.
        is_busy: the engine is at work.
        steps: done so far.
    """

    has_scan: bool
    points: int
    has_mask: bool
    is_busy: bool
    steps: int


# After so many steps nobody needs to be told.
ENOUGH_STEPS = 3


def hint(situation: Situation) -> dict[str, str]:
    """A title and a text, both empty when nothing needs to be said."""
    if not situation.has_scan or situation.is_busy or situation.steps >= ENOUGH_STEPS:
        return {"title": "", "text": ""}
    if not situation.points and not situation.has_mask:
        return {
            "title": "Click on the lesion",
            "text": "Scroll to it in any plane, then click near its middle. One click is often enough.",
        }
    if situation.has_mask:
        return {
            "title": "Look at it, then correct it",
            "text": "Scroll through the slices. Click on what is missing, press S and click on what is too much, or "
            "press R to refine.",
        }
    return {"title": "", "text": ""}
