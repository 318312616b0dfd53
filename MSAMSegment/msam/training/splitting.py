"""Which labelled scans are kept apart for validation."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

from msam.errors import VolumeError
from msam.manifest import Case

SHARE = 0.1


def split_cases(cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """Keeps a tenth of the patients of each data set apart, at least one where it has two.

    Which ones follows from their names alone, so that the split is the same on every computer, and adding a patient
    moves hardly any other.

    Returns:
        Cases for training and for validation, in the order given.

    Raises:
        VolumeError: no data set has two patients.
    """
    kept = {name: _kept([case for case in cases if case.dataset == name]) for name in {case.dataset for case in cases}}
    marked = [
        dataclasses.replace(case, split="val" if case.patient in kept[case.dataset] else "train") for case in cases
    ]
    validation = [case for case in marked if case.split == "val"]
    if not validation:
        raise VolumeError(
            "There is only one labelled patient; training needs at least two, one of whom is kept apart to measure "
            "how well it goes."
        )
    return [case for case in marked if case.split == "train"], validation


def _kept(cases: Sequence[Case]) -> set[str]:
    patients = {case.patient for case in cases}
    if len(patients) < 2:
        return set()
    ordered = sorted(patients, key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(ordered[: max(1, round(SHARE * len(ordered)))])
