"""Dice on the scans kept apart, measured as users meet the model: in a session, click by click."""

from __future__ import annotations

import dataclasses

import numpy as np

from msam.checkpoints.lora import fold_lora
from msam.checkpoints.skeleton import skeleton
from msam.evaluation.clicking import first_click, next_click
from msam.evaluation.overlap import dice
from msam.model.model import Model
from msam.model.network import MSAM
from msam.session import Session
from msam.training.cases import Target
from msam.training.processes import Group

# Dice after the first and after the last of these clicks count alike.
CLICKS = 3
# More objects than this say little more, and take long.
MOST_TARGETS = 24


def chosen(targets: list[Target]) -> list[Target]:
    """At most `MOST_TARGETS` of the targets, evenly spread over them."""
    if len(targets) <= MOST_TARGETS:
        return targets
    return [targets[int(index)] for index in np.linspace(0, len(targets) - 1, MOST_TARGETS)]


def validation_dice(network: MSAM, targets: list[Target], group: Group) -> float:
    """The mean Dice of the targets, which the processes share among themselves.

    Args:
        network: with the weights to be judged; it is not changed.
        targets: of the validation split, the same on every process.
        group: the processes.

    Raises:
        MsamError: a scan cannot be segmented.
    """
    model = inference_model(network, group)
    return float(np.mean(group.gathered([_dice(model, target) for target in targets[group.rank :: group.size]])))


def inference_model(network: MSAM, group: Group) -> Model:
    """The network as it is used afterwards, its LoRA folded in."""
    folded = skeleton(dataclasses.replace(network.config, lora_rank=0))
    folded.load_state_dict(fold_lora(network.state_dict()), assign=True)
    return Model(folded, group.device)


def _dice(model: Model, target: Target) -> float:
    truth, spacing = target.mask_kji, target.volume.spacing
    session = Session(model, target.volume)
    click = first_click(truth, spacing)
    found: list[float] = []
    for _ in range(CLICKS):
        session.add_point(click.position, click.positive)
        session.segment()
        found.append(dice(session.mask, truth))
        following = next_click(session.mask, truth, spacing)
        if following is None:
            break
        click = following
    return (found[0] + found[-1]) / 2
