"""The sample scan, and the click that a newcomer sees the result of."""

from __future__ import annotations

import numpy as np

from msam.demo import Case, find_case
from msam.volume import Volume
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentWeb.work import Work


async def open_sample(work: Work, logic: MSAMSegmentLogic, *, click: bool) -> None:
    """Opens the chest CT of the shared data, or the phantom where there is none.

    Args:
        work: opens it.
        logic: gets the click.
        click: whether to click on the lesion, too.
    """
    cases: list[Case] = []

    def make() -> Volume:
        cases.append(find_case())
        return cases[0].volume

    await work.open_made("Sample scan", make)
    if cases and click and logic.inputVolume is not None:
        position = cases[0].volume.ijk_to_ras @ np.array([*cases[0].click, 1.0])
        logic.addPoint(tuple(float(value) for value in position[:3]))
