"""Confidence intervals against what is known of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from msam.evaluation.bootstrap import bootstrap_interval


def test_two_patients_give_the_interval_of_all_draws_there_are() -> None:
    """Draws of two from two: the mean of either, each with a chance of 1/4, or of both."""
    assert bootstrap_interval([0.2, 0.8], ["a", "b"]) == pytest.approx((0.2, 0.8))


def test_five_patients_agree_with_all_3125_draws() -> None:
    values = {"a": [0.1] * 12, "b": [0.5], "c": [0.7, 0.75], "d": [0.9], "e": [0.95]}
    means = [np.mean([v for name in draw for v in values[name]]) for draw in itertools.product("abcde", repeat=5)]
    flat = [(value, name) for name, members in values.items() for value in members]
    found = bootstrap_interval([value for value, _ in flat], [name for _, name in flat])
    assert found == pytest.approx(np.percentile(means, (2.5, 97.5)), abs=0.015)


def test_patients_are_drawn_and_not_their_objects() -> None:
    """Ten objects of each of four patients, all alike within a patient, tell no more than four values do."""
    values, patients = [0.1, 0.4, 0.6, 0.9], ["a", "b", "c", "d"]
    assert bootstrap_interval(values * 10, patients * 10) == pytest.approx(bootstrap_interval(values, patients))
    as_forty = bootstrap_interval(values * 10, [str(number) for number in range(40)])
    few = bootstrap_interval(values, patients)
    assert few is not None
    assert as_forty is not None
    assert as_forty[1] - as_forty[0] < (few[1] - few[0]) / 2


def test_the_interval_of_many_values_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(0.7, 0.1, 400)
    found = bootstrap_interval(values.tolist(), [str(number) for number in range(400)])
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert found == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 8)


def test_a_seed_gives_the_same_interval_again() -> None:
    values, patients = np.random.default_rng(2).random(12).tolist(), [str(number // 2) for number in range(12)]
    assert bootstrap_interval(values, patients, 5) == bootstrap_interval(values, patients, 5)
    assert bootstrap_interval(values, patients, 5) != bootstrap_interval(values, patients, 6)


@pytest.mark.parametrize("patients", [[], ["a"], ["a", "a", "a"]])
def test_fewer_than_two_patients_have_no_interval(patients: list[str]) -> None:
    assert bootstrap_interval([0.5] * len(patients), patients) is None
