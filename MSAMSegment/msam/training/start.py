"""The network that training starts from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import nn

from msam.checkpoints.catalogue import resolve
from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.wording import first_few
from msam.config import COMPACT, ModelConfig
from msam.errors import CheckpointError
from msam.model.network import MSAM
from msam.training.recipes import FROM_SCRATCH, Recipe, recipe_for

# Parts that a checkpoint need not have: the recipe adds them.
ADDED = ("adapter.", "linear_")
# What must travel with weights made from others.
INHERITED = ("attribution", "licence")
RANDOM_WEIGHTS = "random weights"


@dataclass(frozen=True)
class Start:
    """Where training starts.

    Attributes:
        network: with its first weights.
        recipe: how it is trained.
        source: the model's name or the checkpoint file; None for random weights.
        metadata: texts that go on with them.
    """

    network: MSAM
    recipe: Recipe
    source: str | None
    metadata: dict[str, str]


def start_from(source: str | None, *, from_scratch: bool, seed: int) -> Start:
    """The network with the weights of a checkpoint, or with random ones.

    Args:
        source: a model's name or a checkpoint file; None for random weights of the compact network.
        from_scratch: train as from scratch, whatever the weights are.
        seed: of random weights.

    Raises:
        CheckpointError: the checkpoint cannot be read or lacks more than what the recipe adds.
    """
    torch.manual_seed(seed)
    if source is None:
        network = MSAM(COMPACT)
        nn.init.trunc_normal_(network.image_encoder.pos_embed, std=0.02)
        return Start(network, FROM_SCRATCH, None, {})
    checkpoint = read_checkpoint(resolve(source))
    recipe = FROM_SCRATCH if from_scratch else recipe_for(checkpoint.config)
    network = MSAM(_extended(checkpoint.config, recipe))
    missing, unknown = network.load_state_dict(checkpoint.state_dict, strict=False)
    unexpected = [*unknown, *(name for name in missing if not any(part in name for part in ADDED))]
    if unexpected:
        raise CheckpointError(f"The checkpoint does not fit the network to be trained: {first_few(unexpected)}.")
    inherited = {key: checkpoint.metadata[key] for key in INHERITED if key in checkpoint.metadata}
    return Start(network, recipe, source, inherited)


def _extended(config: ModelConfig, recipe: Recipe) -> ModelConfig:
    """The configuration with the LoRA and the adapter that the recipe adds; with an adapter it becomes M-SAM."""
    config = dataclasses.replace(config, lora_rank=config.lora_rank or recipe.lora_rank)
    if config.adapter or not recipe.adapter:
        return config
    return dataclasses.replace(config, name="m-sam", adapter=True, clicks_per_step="new")
