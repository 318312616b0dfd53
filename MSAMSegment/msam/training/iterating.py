"""One training step: the image encoded once, then decoded again and again with a new click from the error region."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from msam.model.network import MSAM
from msam.training.chance import Chance
from msam.training.clicks import FILLER, next_click, rough_mask
from msam.training.losses import dice_score, step_loss
from msam.training.recipes import Recipe


class Iterations(nn.Module):
    """A network and its iterations in one module, whose one call gives the loss: what can be shared among processes.

    Args:
        network: to be trained.
        recipe: how many iterations, and what varies among them.
        precision: of the network's own calculations; float32 for everything else.
    """

    def __init__(self, network: MSAM, recipe: Recipe, precision: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.precision = precision

    def forward(self, image: Tensor, truth: Tensor, clicks: Tensor, chance: Chance) -> tuple[Tensor, Tensor]:
        """The loss of a batch.

        Args:
            image: normalised, `(B, 1, S, S, S)`.
            truth: `(B, 1, S, S, S)`, 0 or 1.
            clicks: the first ones, `(B, 1, 3)` in ROI voxels.
            chance: the step's random numbers.

        Returns:
            The mean loss over the iterations that are learned from, and the mean Dice of each, without gradients.
        """
        recipe, size = self.recipe, self.network.config.mask_size
        steps = chance.between(*recipe.decode_steps)
        unlearned = chance.between(*recipe.head_start) if chance.happens(recipe.late) else 0
        with self._autocast(image):
            encoded = self.network.encode(image)
        mask = torch.zeros(len(image), 1, size, size, size, device=image.device)
        if chance.happens(recipe.rough_mask):
            rough = rough_mask(truth, self.network.config.map_size, chance.generator)
            mask = F.interpolate(rough, size=mask.shape[2:], mode="trilinear", align_corners=False)
        points, labels = clicks, torch.ones(clicks.shape[:2], device=clicks.device)
        total, scores = torch.zeros((), device=image.device), []
        for step in range(-unlearned, steps):
            # A context for each: what autocast keeps of a weight without gradients must not serve one with them.
            with self._autocast(image), torch.set_grad_enabled(step >= 0):
                logits, quality = self.network.decode(encoded, points, labels, mask)
            logits, quality = logits.float(), quality.float()
            fine = F.interpolate(logits, size=truth.shape[2:], mode="trilinear", align_corners=False)
            if step >= 0:
                total = total + step_loss(fine, quality, truth, recipe.small_objects)
                scores.append(dice_score(fine.detach(), truth).mean())
            mask = logits.detach()
            if step + 1 < steps:
                new_points, new_labels = next_click(fine.detach(), truth, chance.for_each())
                if chance.happens(recipe.no_click):
                    new_labels = torch.full_like(new_labels, FILLER)
                points, labels = self._seen(points, labels, new_points, new_labels)
        return total / steps, torch.stack(scores)

    def _seen(self, points: Tensor, labels: Tensor, new_points: Tensor, new_labels: Tensor) -> tuple[Tensor, Tensor]:
        """The clicks of the next iteration: the new one only, or all so far (parity fact 9)."""
        if self.network.config.clicks_per_step == "new":
            return new_points, new_labels
        return torch.cat((points, new_points), 1), torch.cat((labels, new_labels), 1)

    def _autocast(self, image: Tensor) -> torch.autocast:
        enabled = self.precision != torch.float32
        return torch.autocast(image.device.type, self.precision if enabled else torch.bfloat16, enabled=enabled)
