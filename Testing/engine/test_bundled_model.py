"""The weights that come with the program: that they still find what they found, and what they may weigh and take."""

from __future__ import annotations

import pytest

import msam
from msam.checkpoints.catalogue import bundled_folder
from msam.demo import find_case
from msam.evaluation.overlap import dice

LARGEST_BYTES = 30_000_000


@pytest.fixture(scope="module")
def model() -> msam.Model:
    """The bundled model, on the processor."""
    return msam.load_model("compact", "cpu")


def test_one_click_finds_a_nodule_that_was_computed(model: msam.Model) -> None:
    """The truth is the phantom's own; no scan of it was ever trained on."""
    case = find_case(phantom=True)
    session = msam.Session(model, case.volume)
    session.add_point(case.click)
    session.segment()
    assert dice(session.mask, case.truth) > 0.6


def test_it_is_small_enough_to_bring_along() -> None:
    assert (bundled_folder() / "compact.safetensors").stat().st_size < LARGEST_BYTES


def test_its_attribution_travels_with_it() -> None:
    card = (bundled_folder() / "compact.md").read_text(encoding="utf-8")
    for owed in ("CC BY-SA 4.0", "CC BY 3.0", "10.7937/K9/TCIA.2015.7GO2GSKS", "Bakas", "Decathlon"):
        assert owed in card
    assert "Not a medical device" in card
