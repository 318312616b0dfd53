"""Goes through labelled scans one by one; one that fails is noted and stops no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msam.evaluation.baselines.program import Program
from msam.evaluation.baselines.registry import NOTES, Baseline
from msam.evaluation.plan import Plan
from msam.evaluation.protocol import in_words, run_course
from msam.evaluation.results import Evaluation, Failure, TargetResult
from msam.evaluation.target import read_targets
from msam.manifest import Case

if TYPE_CHECKING:
    from msam.session.looking import Network


def evaluate(
    model: Network,
    cases: Sequence[Case],
    plan: Plan,
    baselines: Mapping[str, Baseline | Program],
    report: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Runs the protocol on every object of every scan. One scan is in memory at a time.

    Args:
        model: what is evaluated.
        cases: the labelled scans.
        plan: how many clicks and refinements.
        baselines: by name, to be given the same clicks.
        report: called with a line of text after every object and every failure.
    """
    evaluation = Evaluation(notes=_notes(baselines))
    started = time.perf_counter()
    for number, case in enumerate(cases, start=1):
        where = f"{number} of {len(cases)}"

        def fail(what: str, message: str, where: str = where, case: Case = case) -> None:
            evaluation.failures.append(Failure(case, what, message))
            report(f"{where}  {case.dataset} {case.case} {what}: FAILED. {message}")

        try:
            targets = read_targets(case)
        except Exception as error:
            fail("scan", in_words(error))
            continue
        for target in targets:
            begun = time.perf_counter()
            try:
                course = run_course(model, target, plan, baselines)
            except Exception as error:
                fail(target.name, in_words(error))
                continue
            evaluation.add(TargetResult.of(target, course), course.mask)
            for name, message in course.failed_baselines.items():
                fail(f"{target.name}, {name}", message)
            seconds = time.perf_counter() - begun
            left = (time.perf_counter() - started) / number * (len(cases) - number)
            report(
                f"{where}  {target.description}: Dice {course.dice[0]:.3f} after 1 click"
                + (f", {course.dice[-1]:.3f} after {plan.clicks}" if plan.clicks > 1 else "")
                + f"; {seconds:.1f} s, about {left / 60:.0f} min left"
            )
    return evaluation


def _notes(baselines: Mapping[str, Baseline | Program]) -> dict[str, str]:
    """What baselines know beside the clicks, of those that do."""
    notes = {
        name: baseline.note if isinstance(baseline, Program) else NOTES.get(name, "")
        for name, baseline in baselines.items()
    }
    return {name: note for name, note in notes.items() if note}
