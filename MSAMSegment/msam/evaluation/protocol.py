"""The course of one object: click by click with the model, refined without clicks, and with the baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from msam.clicks import Click
from msam.errors import MsamError
from msam.evaluation.baselines.program import Program
from msam.evaluation.clicking import first_click, next_click
from msam.evaluation.metrics import Scores, score
from msam.evaluation.overlap import dice
from msam.evaluation.plan import Plan
from msam.evaluation.target import Target
from msam.session import Session

if TYPE_CHECKING:
    from msam.evaluation.baselines.registry import Baseline
    from msam.session.looking import Network

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Course:
    """What happened to one object.

    Attributes:
        clicks: those placed; fewer than planned where no error was left.
        dice: after each planned click; the last score stays where no further click was needed.
        scores: by number of clicks.
        refined: by number of refinements of the first click's mask.
        refined_dice: after the first click and after each refinement.
        baselines: by name, then by number of the model's clicks that were given.
        failed_baselines: by name, what went wrong.
        mask: (K, J, I), after the last click.
        seconds: that the model took for all clicks.
    """

    clicks: tuple[Click, ...]
    dice: tuple[float, ...]
    scores: dict[int, Scores]
    mask: Mask
    seconds: float
    refined: dict[int, Scores] = field(default_factory=dict)
    refined_dice: list[float] = field(default_factory=list)
    baselines: dict[str, dict[int, Scores]] = field(default_factory=dict)
    failed_baselines: dict[str, str] = field(default_factory=dict)


def run_course(model: Network, target: Target, plan: Plan, baselines: Mapping[str, Baseline | Program]) -> Course:
    """Goes through the whole protocol with one object.

    The model's own errors decide where it is corrected. The baselines are given exactly the same clicks. Refining is
    done in a session of its own, from the first click alone.

    Args:
        model: what is evaluated.
        target: the object.
        plan: how long it goes on.
        baselines: by name. One that fails is noted; it stops nothing else.

    Raises:
        MsamError: the model cannot segment this scan.
    """
    course = _click_by_click(model, target, plan)
    if plan.refinements:
        _refine(model, target, plan, course)
    for name, baseline in baselines.items():
        try:
            segment = baseline.on(target.truth) if isinstance(baseline, Program) else baseline
            course.baselines[name] = _replay(segment, target, plan, course.clicks)
        except Exception as error:
            course.failed_baselines[name] = in_words(error)
    return course


def in_words(error: Exception) -> str:
    """One sentence about what went wrong; of an error that nobody foresaw, its kind."""
    if isinstance(error, MsamError):
        return str(error)
    return f"Something unexpected happened ({type(error).__name__})."


def _click_by_click(model: Network, target: Target, plan: Plan) -> Course:
    spacing, truth = target.volume.spacing, target.truth
    session = Session(model, target.volume)
    clicks: list[Click] = []
    overlaps: list[float] = []
    scores: dict[int, Scores] = {}
    seconds = 0.0
    click: Click | None = first_click(truth, spacing)
    for count in range(1, plan.clicks + 1):
        if click is not None:
            clicks.append(click)
            started = time.perf_counter()
            session.add_point(click.position, click.positive)
            session.segment()
            mask = session.mask
            seconds += time.perf_counter() - started
        overlaps.append(dice(mask, truth))
        if count in plan.reported_clicks:
            scores[count] = score(mask, truth, spacing)
        if count < plan.clicks:
            click = next_click(mask, truth, spacing)
    return Course(tuple(clicks), tuple(overlaps), scores, mask, seconds)


def _refine(model: Network, target: Target, plan: Plan, course: Course) -> None:
    session = Session(model, target.volume)
    session.add_point(course.clicks[0].position)
    session.segment()
    for count in range(plan.refinements + 1):
        if count:
            session.refine()
        mask = session.mask
        course.refined_dice.append(dice(mask, target.truth))
        if count in plan.reported_refinements:
            course.refined[count] = score(mask, target.truth, target.volume.spacing)


def _replay(baseline: Baseline, target: Target, plan: Plan, clicks: Sequence[Click]) -> dict[int, Scores]:
    scores: dict[int, Scores] = {}
    given = 0
    for count in plan.reported_clicks:
        if min(count, len(clicks)) > given:
            given = min(count, len(clicks))
            found = score(baseline(target.volume, clicks[:given]), target.truth, target.volume.spacing)
        scores[count] = found
    return scores
