"""From a checkpoint, or the name of a model, to a model ready for clicks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from msam.checkpoints.catalogue import resolve
from msam.checkpoints.lora import fold_lora
from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.skeleton import skeleton
from msam.model.device import choose_device
from msam.model.model import Model


def load_model(source: str | Path = "compact", device: str | None = None) -> Model:
    """Loads a model for inference, with its LoRA folded into the weights.

    Args:
        source: the name of a bundled or installed model, or a checkpoint file of SAM-Med3D, M-SAM or ours.
        device: "cuda", "cuda:1", "mps" or "cpu"; None for the best there is.

    Raises:
        CheckpointError: there is no such model, or its file is damaged, incomplete or not to be trusted.
        DeviceError: the device is not there.
    """
    chosen = choose_device(device)
    checkpoint = read_checkpoint(resolve(source))
    config = dataclasses.replace(checkpoint.config, lora_rank=0)
    network = skeleton(config)  # no random weights first: they would cost time and memory
    network.load_state_dict(fold_lora(checkpoint.state_dict), assign=True)
    return Model(network, chosen)
