"""The quality head, gone on with by itself."""

from __future__ import annotations

import numpy as np
import torch

from msam.model.mask_decoder import MLP
from msam.training.fit_quality import Looks, chosen_overlap, fitted


def error(head: MLP, tokens: torch.Tensor, achieved: torch.Tensor) -> float:
    return float((head(tokens)[:, 0] - achieved).square().mean())


def test_the_head_learns_what_it_was_off_by_and_the_one_it_came_from_stays() -> None:
    torch.manual_seed(0)
    head = MLP(12, 16, 1).requires_grad_(False)
    tokens = 3 * torch.randn(600, 12)
    achieved = head(tokens)[:, 0] + 0.3 + 0.05 * tokens[:, 0]
    before = error(head, tokens, achieved)
    gone_on = fitted(head, tokens[:400], achieved[:400])
    assert error(gone_on, tokens[400:], achieved[400:]) < 0.3 * before  # on tokens that it was not fitted to
    assert error(head, tokens, achieved) == before
    assert not any(parameter.requires_grad for parameter in gone_on.parameters())


def test_a_statistic_that_never_varies_does_no_harm() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(100, 12)
    tokens[:, 3] = 1.0
    gone_on = fitted(MLP(12, 16, 1), tokens, torch.rand(100), steps=20)
    assert all(parameter.isfinite().all() for parameter in gone_on.parameters())


def test_the_chosen_overlap_is_that_of_the_first_click_at_the_spacing_with_the_highest_score() -> None:
    looks = Looks(
        tokens=torch.zeros(5, 1),
        achieved=torch.tensor([0.2, 0.9, 0.6, 0.4, 0.8]),
        target=np.array([0, 0, 0, 1, 1]),
        step=np.array([0, 1, 0, 0, 0]),
    )
    scores = np.array([0.5, 1.0, 0.3, 0.7, 0.1])  # of the first object, the best score is a refinement's
    assert np.isclose(chosen_overlap(scores, looks), (0.2 + 0.4) / 2)
