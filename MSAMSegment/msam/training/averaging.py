"""An exponential moving average of a network's weights: steadier than the last step's."""

from __future__ import annotations

import copy

import torch

from msam.model.network import MSAM


class Averaged:
    """The average of a network's parameters over its updates.

    Args:
        network: whose weights are the first.
        decay: towards which the share of what was before grows, from little at the beginning.
    """

    def __init__(self, network: MSAM, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay

    def update(self, network: MSAM, updates: int) -> None:
        """Takes in the weights after so many updates."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        with torch.no_grad():
            for mean, value in zip(self.network.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
