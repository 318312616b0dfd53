"""The door to the network: encode a region once, decode a step per click. Everything outside `msam.model` uses this."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from msam.config import ModelConfig
from msam.errors import PromptError
from msam.model.device import autocast, free_memory
from msam.model.network import MSAM, Encoded

logger = logging.getLogger(__name__)
Output = TypeVar("Output")


class Model:
    """A network ready for inference on one device.

    Args:
        network: with its LoRA folded in (`msam.checkpoints` does that).
        device: where it runs. Should the memory of a GPU not suffice, it goes on with the CPU and says so in
            `notice`.
    """

    def __init__(self, network: MSAM, device: torch.device) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self.device = device
        self.notice: str | None = None

    @property
    def config(self) -> ModelConfig:
        """The network's configuration."""
        return self.network.config

    def encode(self, roi: Tensor) -> Encoded:
        """Encodes normalised regions of interest.

        Args:
            roi: float32 `(B, 1, S, S, S)`, axes towards R, A, S.

        Returns:
            What every click on these regions starts from; `embedding` is `(B, C, s, s, s)`.

        Raises:
            PromptError: the region has another shape.
        """
        size = self.config.roi_size
        if roi.ndim != 5 or roi.shape[1:] != (1, size, size, size):
            expected = f"(B, 1, {size}, {size}, {size})"
            raise PromptError(
                f"A region for the model '{self.config.name}' has the shape {expected}, not {tuple(roi.shape)}."
            )
        return self._run(lambda: self.network.encode(roi.to(self.device, torch.float32)))

    def decode(
        self, encoded: Encoded, points: Tensor, labels: Tensor, mask_logits: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One step of the iteration.

        Args:
            encoded: from `encode`, B regions.
            points: `(B, N, 3)` in ROI voxels (i, j, k), voxel centres at whole numbers.
            labels: `(B, N)`, 1 positive, 0 negative.
            mask_logits: the logits of the step before, `(B, 1, m, m, m)`; None at the first step, which stands for
                zeros, as in training.

        Returns:
            On the CPU, float32: logits `(B, 1, m, m, m)`, and quality `(B, 1)`, the predicted intersection over union.

        Raises:
            PromptError: shapes that do not belong together.
        """
        batch, size = len(encoded.embedding), self.config.mask_size
        if points.ndim != 3 or points.shape[::2] != (batch, 3) or labels.shape != points.shape[:2]:
            raise PromptError(
                f"Clicks are (B, N, 3) and labels (B, N), not {tuple(points.shape)} and {tuple(labels.shape)}."
            )
        if mask_logits is None:
            mask_logits = torch.zeros(batch, 1, size, size, size)
        elif mask_logits.shape != (batch, 1, size, size, size):
            raise PromptError(f"Mask logits are {(batch, 1, size, size, size)}, not {tuple(mask_logits.shape)}.")

        def step() -> tuple[Tensor, Tensor]:
            prompts = (tensor.to(self.device, torch.float32) for tensor in (points, labels, mask_logits))
            return self.network.decode(encoded.to(self.device), *prompts)

        logits, quality = self._run(step)
        return logits.float().cpu(), quality.float().cpu()

    def _run(self, work: Callable[[], Output]) -> Output:
        """Runs `work`; when a GPU's memory does not suffice, once more with freed caches, then on the CPU."""
        try:
            return self._infer(work)
        except torch.OutOfMemoryError:
            logger.info("Out of GPU memory: caches freed, trying once more.")
        free_memory(self.device)
        try:
            return self._infer(work)
        except torch.OutOfMemoryError:
            self.notice = (
                "The graphics card has too little free memory. The model goes on with the processor, which is slower."
            )
            logger.warning(self.notice)
        free_memory(self.device)
        self.device = torch.device("cpu")
        self.network.to(self.device)
        return self._infer(work)

    def _infer(self, work: Callable[[], Output]) -> Output:
        with torch.inference_mode(), autocast(self.device):
            return work()
