"""A training step: which of its iterations are learned from."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from labelled_folders import TINY_COMPACT
from torch import Tensor

from msam.model.layers import Conv3d
from msam.model.network import MSAM
from msam.training import iterating
from msam.training.chance import Chance
from msam.training.iterating import Iterations
from msam.training.losses import step_loss
from msam.training.recipes import FROM_SCRATCH, Recipe


def recipe(decode_steps: int, head_start: int) -> Recipe:
    """So many iterations that are learned from, after so many that are not; every one with a click."""
    steps, before = (decode_steps, decode_steps), (head_start, head_start)
    return dataclasses.replace(
        FROM_SCRATCH, decode_steps=steps, late=1.0, head_start=before, no_click=0.0, rough_mask=0.0
    )


def a_batch() -> tuple[MSAM, Tensor, Tensor, Tensor]:
    """A network; image and truth of two regions, and a click in the middle of each."""
    torch.manual_seed(0)
    size = TINY_COMPACT.roi_size
    image, clicks = torch.randn(2, 1, size, size, size), torch.full((2, 1, 3), size / 2)
    truth = torch.zeros_like(image)
    truth[:, :, size // 4 : size // 2, size // 4 : size // 2, size // 3 :] = 1
    return MSAM(TINY_COMPACT), image, truth, clicks


def gradients(network: MSAM, loss: Tensor) -> dict[str, Tensor]:
    """Those of the parameters that have a part in the loss."""
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=True)
    named = zip(dict(network.named_parameters()), found, strict=True)
    return {name: gradient for name, gradient in named if gradient is not None}


def test_a_late_iteration_teaches_what_it_teaches_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    network, image, truth, clicks = a_batch()
    losses: list[Tensor] = []

    def recorded(*arguments: Tensor) -> Tensor:
        losses.append(step_loss(*arguments))
        return losses[-1]

    monkeypatch.setattr(iterating, "step_loss", recorded)
    Iterations(network, recipe(3, 0), torch.float32)(image, truth, clicks, Chance(0, 0, 2, 0, 2))
    assert len(losses) == 3
    third, expected = losses[2], gradients(network, losses[2])
    losses.clear()
    late, scores = Iterations(network, recipe(1, 2), torch.float32)(image, truth, clicks, Chance(0, 0, 2, 0, 2))
    assert len(losses) == len(scores) == 1
    assert torch.equal(late, third)
    found = gradients(network, late)
    assert found.keys() == expected.keys() and len(found) > 50
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_what_half_precision_keeps_of_the_weights_does_not_hide_them_from_the_gradient() -> None:
    network, image, truth, clicks = a_batch()
    learned = []
    for head_start in (0, 2):
        step = Iterations(network, recipe(1, head_start), torch.bfloat16)
        learned.append(gradients(network, step(image, truth, clicks, Chance(0, 0, 2, 0, 2))[0]).keys())
    assert learned[0] == learned[1] and len(learned[0]) > 50


def test_what_is_not_learned_from_is_computed_in_mixed_precision_too() -> None:
    convolution, image = Conv3d(4, 4, kernel_size=3, padding=1), torch.randn(1, 4, 6, 6, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert convolution(image).dtype == torch.bfloat16
    with torch.no_grad():
        assert convolution(image).dtype == torch.float32
