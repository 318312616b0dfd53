"""The zoom at work: looks at regions until one shows all of the object as closely as possible.

The rules are in `zoom`; here they are applied in their order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from msam.session import zoom
from msam.session.answer import Answer
from msam.session.carrying import carried
from msam.session.looking import Looker
from msam.session.prompts import Point, positive_first, positive_positions

Floats = npt.NDArray[np.float64]


def first_look(looker: Looker, click: Point) -> Answer:
    """The answer to the first click: the regions on offer, the best of those that the mask fits into.

    When the mask did not fit into a finer region around the click, it may still do so around its own middle.
    """
    volume, config = looker.volume, looker.config
    regions = zoom.first_regions(volume, config, click.position_ijk)
    fitting: list[Answer] = []
    too_narrow: list[Answer] = []
    for number, region in enumerate(regions):
        if fitting and number >= zoom.always_offered(config):
            break
        looker.run.report(number / len(regions), "Looking around the click")
        answer = looker.look(region, [click])
        (too_narrow if _touches(looker, answer) else fitting).append(answer)
    best = zoom.choose(fitting)
    if best.is_empty and too_narrow:
        # An object too thin to be seen from further away: the widest view of it is the best there is.
        return too_narrow[-1]
    finer = [answer.region.spacing for answer in too_narrow if answer.region.spacing not in _from(looker, best)]
    return _closer_look(looker, best, (click,), finer)


def next_look(looker: Looker, before: Answer, so_far: Sequence[Point]) -> Answer:
    """The answer to the newest of the points placed so far, going on from the logits of the step before.

    The region stays, so that its embedding is used again, as long as the positive points lie well inside it and the
    mask does not touch its border. Otherwise it is shifted or widened until it holds them and the mask.

    Args:
        looker: the network and the volume.
        before: the answer of the step before.
        so_far: the points in their order; the newest lies inside the region or is positive.
    """
    positives = positive_positions(so_far)
    clicks = visible(looker, so_far)
    focus = np.concatenate((positives, [so_far[-1].position_ijk]))
    region = before.region
    if not all(zoom.well_inside(looker.volume, region, position) for position in positives):
        region = zoom.finest_holding(looker.volume, looker.config, _content(looker, before, focus), region.spacing)
    answer = looker.look(region, clicks, carried(looker.volume, before, region))
    for spacing in _from(looker, answer):
        if not _touches(looker, answer):
            break
        wider = zoom.holding(looker.volume, looker.config, spacing, _content(looker, answer, focus))
        if wider is not None and wider != answer.region:
            looker.run.report(0.5, "Looking at a wider region")
            answer = looker.look(wider, clicks, carried(looker.volume, answer, wider))
    coarser = _from(looker, answer)
    finer = [spacing for spacing in _from(looker, before) if spacing not in coarser]
    return _closer_look(looker, answer, so_far, finer)


def visible(looker: Looker, so_far: Sequence[Point]) -> tuple[Point, ...]:
    """The points that a step sees, following the model's training: the newest alone, or all so far."""
    return (so_far[-1],) if looker.config.clicks_per_step == "new" else positive_first(so_far)


def _closer_look(looker: Looker, answer: Answer, so_far: Sequence[Point], spacings: Sequence[zoom.Spacing]) -> Answer:
    """The answer from the finest of these spacings at which a region around the mask holds it, if that is as good."""
    positives = positive_positions(so_far)
    focus = np.concatenate((positives, [so_far[-1].position_ijk]))
    for spacing in spacings:
        region = zoom.holding(looker.volume, looker.config, spacing, _content(looker, answer, focus))
        if region is not None:
            looker.run.report(0.8, "Looking more closely")
            closer = looker.look(region, visible(looker, so_far), carried(looker.volume, answer, region))
            if not _touches(looker, closer):
                return zoom.choose((closer, answer))
    return answer


def _content(looker: Looker, answer: Answer, focus: Floats) -> Floats:
    """What a region has to hold: corners of the mask, and points; (N, 3)."""
    return np.concatenate((zoom.mask_extent(looker.volume, answer.region, answer.logits), focus))


def _touches(looker: Looker, answer: Answer) -> bool:
    return zoom.touches_border(looker.volume, answer.region, answer.logits)


def _from(looker: Looker, answer: Answer) -> tuple[zoom.Spacing, ...]:
    """The spacings from that of an answer on, fine to coarse."""
    rungs = zoom.ladder(looker.volume, looker.config)
    return rungs[rungs.index(answer.region.spacing) :]
