"""From the scores of single objects to the figures of each data set: the content of the JSON report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from msam.evaluation.bootstrap import bootstrap_interval
from msam.evaluation.metrics import METRICS, Scores
from msam.evaluation.plan import Plan
from msam.evaluation.results import Evaluation, TargetResult
from msam.manifest import Case

DIGITS = 4

# Of one object, by number of clicks or refinements.
ScoresByCount = Mapping[int, Scores]


def summarise(evaluation: Evaluation, cases: Sequence[Case], plan: Plan, seed: int) -> dict[str, Any]:
    """Everything there is to report, as plain JSON values.

    Args:
        evaluation: what was found.
        cases: the scans that were to be evaluated.
        plan: how many clicks and refinements.
        seed: of the intervals.

    Returns:
        `datasets`: by name, `cases` (scans with a result), `patients`, `targets`, `failed` (failures of scans and
        objects), then `dice`, `nsd_2mm`, `hd95_mm` and `volume_error`, each with the mean over all objects by number of
        clicks; `intervals`, the same with the ends of the 95 % intervals (null for a single patient);
        `dice_per_click`; `below_half`, how many objects have a Dice below 0.5 after the last click; `refine`, the same
        as above by number of refinements of the first click's mask, and `dice_per_refinement`; `by_target`, the mean
        Dice of each kind of object; `baselines`, by name.
        Besides, `targets` with the scores of every object, `failures`, and `notes`: what a baseline knows beside the
        clicks, by name.
    """
    names = dict.fromkeys(case.dataset for case in cases)
    return {
        "clicks": plan.clicks,
        "refinements": plan.refinements,
        "seed": seed,
        "datasets": {name: _dataset(evaluation, name, plan, seed) for name in names},
        "targets": [result.to_dict() for result in evaluation.results],
        "failures": [failure.to_dict() for failure in evaluation.failures],
        "notes": evaluation.notes,
    }


def _dataset(evaluation: Evaluation, name: str, plan: Plan, seed: int) -> dict[str, Any]:
    results = [result for result in evaluation.results if result.case.dataset == name]
    baselines = dict.fromkeys(baseline for result in results for baseline in result.baselines)
    refined: dict[str, Any] = {}
    if plan.refinements:
        refined = {
            "refine": _figures(results, lambda result: result.refined, plan.reported_refinements, seed),
            "dice_per_refinement": _per_step([result.refined_dice for result in results]),
        }
    return {
        "cases": len({result.case.case for result in results}),
        "patients": len({result.case.patient for result in results}),
        "targets": len(results),
        "failed": sum(failure.case.dataset == name for failure in evaluation.failures),
        **_figures(results, lambda result: result.scores, plan.reported_clicks, seed),
        "dice_per_click": _per_step([result.dice for result in results]),
        "below_half": sum(result.has_failed for result in results),
        **refined,
        "by_target": _by_target(results, plan),
        "baselines": {
            baseline: _baseline([result for result in results if baseline in result.baselines], baseline, plan, seed)
            for baseline in baselines
        },
        "seconds_per_target": round(float(np.mean([result.seconds for result in results])), 3) if results else None,
    }


def _baseline(results: Sequence[TargetResult], name: str, plan: Plan, seed: int) -> dict[str, Any]:
    figures = _figures(results, lambda result: result.baselines[name], plan.reported_clicks, seed)
    return {"targets": len(results), **figures}


def _figures(
    results: Sequence[TargetResult],
    scores_of: Callable[[TargetResult], ScoresByCount],
    counts: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    """The mean and the interval of every metric after every number of clicks; nothing where there are no results."""
    figures: dict[str, Any] = {metric: {} for metric in METRICS}
    intervals: dict[str, Any] = {metric: {} for metric in METRICS}
    patients = [result.case.patient for result in results]
    for metric in METRICS if results else ():
        for count in counts:
            values = [float(getattr(scores_of(result)[count], metric)) for result in results]
            ends = bootstrap_interval(values, patients, seed)
            figures[metric][str(count)] = round(float(np.mean(values)), DIGITS)
            intervals[metric][str(count)] = [round(end, DIGITS) for end in ends] if ends else None
    return {**figures, "intervals": intervals}


def _per_step(courses: Sequence[Sequence[float]]) -> list[float]:
    return [round(float(np.mean(values)), DIGITS) for values in zip(*courses, strict=True)]


def _by_target(results: Sequence[TargetResult], plan: Plan) -> dict[str, Any]:
    kinds: dict[str, list[TargetResult]] = {}
    for result in results:
        kinds.setdefault(result.name, []).append(result)
    return {
        kind: {
            "targets": len(members),
            "dice": {
                str(count): round(float(np.mean([member.scores[count].dice for member in members])), DIGITS)
                for count in plan.reported_clicks
            },
        }
        for kind, members in kinds.items()
    }
