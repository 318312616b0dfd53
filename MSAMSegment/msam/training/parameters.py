"""Which parameters of a network are trained, how many that is, and how fast each of them learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from msam.model.network import MSAM
from msam.training.recipes import Recipe

LORA = "linear_"


@dataclass(frozen=True)
class Share:
    """How many numbers are trained, of how many."""

    trained: int
    all: int

    def __str__(self) -> str:
        return f"{self.trained:,} of {self.all:,} parameters ({100 * self.trained / self.all:.1f} %)"


def choose_trained(network: MSAM, recipe: Recipe) -> Share:
    """Freezes what the recipe does not train: of an image encoder with LoRA, everything but the LoRA."""
    for name, parameter in network.image_encoder.named_parameters():
        parameter.requires_grad_(not recipe.lora_rank or f".{LORA}" in name)
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return Share(sum(count for count, trained in counts if trained), sum(count for count, _ in counts))


def parameter_groups(network: MSAM, recipe: Recipe) -> list[dict[str, Any]]:
    """What AdamW is given: the trained parameters by part and by weight decay; `share` is that of the recipe's rate."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            share = recipe.part_rates.get(name.partition(".")[0], 1.0)
            groups.setdefault((share, parameter.ndim > 1), []).append(parameter)
    return [
        {"params": members, "share": share, "weight_decay": recipe.weight_decay if decayed else 0.0}
        for (share, decayed), members in groups.items()
    ]
