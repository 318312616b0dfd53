"""The ways to train: everything that tells one from another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msam.config import ModelConfig

# Shares of the data sets that the bundled weights are trained on.
BUNDLED_DATA = {
    "sarcoma_ct": 0.25,
    "sarcoma_mr": 0.25,
    "sarcoma_pet": 0.21,
    "glioma_mr": 0.16,
    "hippocampus_mr": 0.13,
}


@dataclass(frozen=True)
class Recipe:
    """A way to train.

    Attributes:
        name: for people.
        steps: length of the schedule.
        batch: examples of a step, over all processes.
        rate: of AdamW, at its highest.
        weight_decay: of matrices and kernels; biases and norms have none.
        betas: of AdamW.
        warm_up: steps in which the rate rises to `rate`; it then falls along a cosine. 0 for the steps of `milestones`.
        milestones: shares of the run after which the rate falls to a tenth, where there is no warm-up.
        lora_rank: above 0, the image encoder is frozen but for LoRA of this rank.
        adapter: whether a network without the Mask-Enhanced Adapter is given one.
        part_rates: share of the rate that a part of the network learns with, by the part's name; others have all of it.
        decode_steps: fewest and most decoding steps for an image, each with a new click.
        late: chance of learning from later clicks than the first ones.
        head_start: fewest and most decoding steps that then come before, and are not learned from.
        no_click: chance of a decoding step that refines without a new click.
        rough_mask: chance of starting from a mask that is about right.
        lesions: chance of a procedural lesion in place of the labelled object.
        made_up: chance of a procedural lesion in made-up tissue.
        unions: whether labels that touch also make one object together.
        small_objects: whether a small object's cross-entropy counts for as much as a large one's.
        average: decay of the moving average of the weights, which is what is written; 0 for the weights themselves.
    """

    name: str
    steps: int
    batch: int
    rate: float
    weight_decay: float
    betas: tuple[float, float]
    warm_up: int = 0
    milestones: tuple[float, ...] = ()
    lora_rank: int = 0
    adapter: bool = False
    part_rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    decode_steps: tuple[int, int] = (11, 11)
    late: float = 0.0
    head_start: tuple[int, int] = (0, 0)
    no_click: float = 0.0
    rough_mask: float = 0.0
    lesions: float = 0.0
    made_up: float = 0.0
    unions: bool = True
    small_objects: bool = True
    average: float = 0.0

    def rate_at(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        if self.warm_up:
            annealed = 0.5 + 0.5 * math.cos(math.pi * step / self.steps)
            return self.rate * min(1.0, (step + 1) / self.warm_up) * annealed
        passed = sum(step >= share * self.steps for share in self.milestones)
        return self.rate * math.pow(0.1, passed)


# For `compact`, whose weights come from nowhere else.
FROM_SCRATCH = Recipe(
    name="from scratch",
    steps=3000,
    batch=4,
    rate=8e-4,
    weight_decay=0.02,
    betas=(0.9, 0.98),
    warm_up=100,
    decode_steps=(1, 3),
    late=0.35,
    head_start=(1, 4),
    no_click=0.35,
    rough_mask=0.12,
    lesions=0.17,
    made_up=0.06,
    unions=False,
    average=0.9985,
)
# M-SAM (arXiv 2403.05912) on SAM-Med3D: 200 epochs, of which the rate falls after 120 and 180.
AS_PUBLISHED = Recipe(
    name="as published: LoRA, adapter, prompt encoder and mask decoder",
    steps=2000,
    batch=2,
    rate=8e-4,
    weight_decay=0.1,
    betas=(0.9, 0.999),
    milestones=(0.6, 0.9),
    lora_rank=4,
    adapter=True,
    part_rates=MappingProxyType({"prompt_encoder": 0.1, "mask_decoder": 0.1}),
    small_objects=False,
)
# A compact encoder is small enough to learn along, slowly; LoRA would save it neither time nor memory. The steps
# without a click and the rough masks stay, so that refining is not forgotten; the rate begins low, since AdamW's first
# steps know nothing of the weights' scale and undo more than they learn.
FINE_TUNING = Recipe(
    name="all parameters, the image encoder at a tenth of the rate",
    steps=400,
    batch=2,
    rate=2e-4,
    weight_decay=0.02,
    betas=(0.9, 0.98),
    warm_up=40,
    part_rates=MappingProxyType({"image_encoder": 0.1}),
    no_click=0.35,
    rough_mask=0.12,
    average=0.98,
)


def recipe_for(config: ModelConfig) -> Recipe:
    """How to fine-tune a network: as published, or all of it where it has the stem of a compact one."""
    return FINE_TUNING if config.stem_channels else AS_PUBLISHED


def dataset_weights(names: Iterable[str]) -> dict[str, float]:
    """The chance of each data set: the recorded one where all are known, else alike."""
    found = sorted(set(names))
    if set(found) <= set(BUNDLED_DATA):
        return {name: BUNDLED_DATA[name] for name in BUNDLED_DATA if name in found}
    return dict.fromkeys(found, 1.0 / len(found))
