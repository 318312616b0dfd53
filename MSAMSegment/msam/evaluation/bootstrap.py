"""Confidence intervals of means by resampling patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 4000
PERCENTILES = (2.5, 97.5)


def bootstrap_interval(values: Sequence[float], patients: Sequence[str], seed: int = 0) -> tuple[float, float] | None:
    """The 95 % percentile bootstrap interval of the mean of values (Efron 1979).

    Patients are drawn with replacement, each with all its values: several objects or scans of one patient are not
    independent, and drawing them one by one would make the interval too narrow.

    Args:
        values: one per object.
        patients: whose object it is.
        seed: the same seed gives the same interval.

    Returns:
        Its two ends; None for fewer than two patients, of which nothing can be learnt about others.
    """
    names = sorted(set(patients))
    if len(names) < 2:
        return None
    index = [names.index(patient) for patient in patients]
    sums = np.bincount(index, weights=np.asarray(values, dtype=np.float64))
    counts = np.bincount(index)
    drawn = np.random.default_rng(seed).integers(len(names), size=(RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, PERCENTILES)
    return float(low), float(high)
