"""Fits the quality head of a trained model: `python -m msam.training.fit_quality --data …/manifest.json MODEL OUT`.

While the masks are being learned, the head sees regions that mostly fit their object. Afterwards it goes on by itself
with what a session really meets: the first click seen at every spacing, most of them too fine or too coarse for the
object. It starts from what it knows: fitted anew on these few objects, it fails on those that are like none of them.
How well it chooses, cross-validated, is written into fit_quality.txt beside OUT.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.skeleton import skeleton
from msam.checkpoints.writing import write_checkpoint
from msam.evaluation.deepest import deepest_voxel
from msam.model.mask_decoder import MLP
from msam.model.model import Model
from msam.region import paste
from msam.session.cache import EmbeddingCache
from msam.session.looking import Looker, clicked_intensity
from msam.session.prompts import Point
from msam.session.run import Run
from msam.session.zoom import first_regions
from msam.training.cases import Target, load_targets
from msam.training.painted_targets import FAR, NEAR, painted_targets

FOLDS = 5
MOST_PER_DATASET = 80  # so that the many alike hippocampi do not outvote the tumours
PAINTED, PAINTED_FAR = 90, 45  # procedural lesions beside them, most of them small; in small cut-outs and in large ones
STEPS = 3  # the first click, and twice its logits fed back: what the head sees later on


HEAD = "mask_decoder.iou_prediction_head."


@dataclass(frozen=True)
class Looks:
    """Looks at many objects: one row per object, spacing and step.

    Attributes:
        tokens: what the head sees: its token and the summary of the mask, (N, C).
        achieved: true intersection over union, (N,).
        target: which object the row belongs to, (N,).
        step: 0 for the first click, above for its logits fed back, (N,).
    """

    tokens: Tensor
    achieved: Tensor
    target: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]


def look_at(model: Model, targets: list[Target], random: np.random.Generator) -> Looks:
    """Clicks once on every target, looks at it at every spacing, and refines there."""
    tokens: list[Tensor] = []
    head = model.network.mask_decoder.iou_prediction_head
    hook = head.register_forward_pre_hook(lambda _, inputs: tokens.append(inputs[0][0].clone()))
    achieved, owner, steps = [], [], []
    for number, target in enumerate(targets):
        truth, volume = target.mask_kji, target.volume
        click = deepest_voxel(truth, volume.spacing)
        if random.random() < 0.5:  # people do not hit the deepest voxel
            k, j, i = target.voxels_kji[random.integers(len(target.voxels_kji))]
            click = (int(i), int(j), int(k))
        point = Point(1, (float(click[0]), float(click[1]), float(click[2])), True)
        reference = clicked_intensity(volume, model.config, [point])
        looker = Looker(model, EmbeddingCache(), volume, reference, Run(None, None))
        for region in first_regions(volume, model.config, click)[: len(model.config.spacings)]:
            prompt = None
            for step in range(STEPS):
                answer = looker.look(region, [point], prompt)
                prompt = answer.logits
                ((i0, i1), (j0, j1), (k0, k1)), logits = paste(prompt, volume, region)
                common = np.count_nonzero((logits > 0) & truth[k0:k1, j0:j1, i0:i1])
                union = np.count_nonzero(logits > 0) + np.count_nonzero(truth) - common
                achieved.append(common / union)
                owner.append(number)
                steps.append(step)
    hook.remove()
    overlaps = torch.tensor(achieved).float()
    return Looks(torch.stack(tokens), overlaps, np.array(owner), np.array(steps))


def balanced(targets: list[Target], random: np.random.Generator) -> list[Target]:
    """At most `MOST_PER_DATASET` targets of each data set, drawn at random."""
    by_dataset: dict[str, list[Target]] = {}
    for index in random.permutation(len(targets)):
        by_dataset.setdefault(targets[index].dataset, []).append(targets[index])
    return [target for found in by_dataset.values() for target in found[:MOST_PER_DATASET]]


def fitted(head: MLP, tokens: Tensor, achieved: Tensor, steps: int = 1000) -> MLP:
    """The head, gone on to predict `achieved` (N,) from `tokens` (N, C), by least squares on noisy tokens."""
    deviation = tokens.std(0)
    head = copy.deepcopy(head).requires_grad_(True)
    optimiser = torch.optim.AdamW(head.parameters(), weight_decay=0.0)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-4 * (1 - step / steps)
        rows = torch.randint(len(tokens), (256,))
        noisy = tokens[rows] + 0.3 * deviation * torch.randn(256, tokens.shape[1])
        loss = nn.functional.mse_loss(head(noisy)[:, 0], achieved[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return head.requires_grad_(False)


def chosen_overlap(scores: npt.NDArray[np.float64], looks: Looks) -> float:
    """Mean true overlap after the first click, each object seen at the spacing with the highest score."""
    best = []
    for target in np.unique(looks.target):
        rows = np.flatnonzero((looks.target == target) & (looks.step == 0))
        best.append(float(looks.achieved[rows[scores[rows].argmax()]]))
    return float(np.mean(best))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="manifest.json of the labelled scans")
    parser.add_argument("model", type=Path, help="checkpoint to fit the head of")
    parser.add_argument("out", type=Path, help="where the checkpoint with the fitted head goes")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)

    random = np.random.default_rng(arguments.seed)
    targets = balanced(load_targets(arguments.data, "train"), random)
    labelled = tuple(targets)
    for count, setting in ((PAINTED, NEAR), (PAINTED_FAR, FAR)):
        targets += painted_targets(labelled, count, arguments.seed, setting)
    checkpoint = read_checkpoint(arguments.model)
    network = skeleton(checkpoint.config)
    network.load_state_dict(checkpoint.state_dict, assign=True)
    head = copy.deepcopy(network.mask_decoder.iou_prediction_head).float()
    looks = look_at(Model(network, torch.device("cpu")), targets, random)
    predicted = np.zeros(len(looks.target))
    for fold in range(FOLDS):
        held_out = looks.target % FOLDS == fold
        judge = fitted(head, looks.tokens[~held_out], looks.achieved[~held_out])
        predicted[held_out] = judge(looks.tokens[held_out])[:, 0].numpy()
    lines = [
        ("the spacing of the best predicted quality", chosen_overlap(predicted, looks)),
        ("the best spacing, known", chosen_overlap(looks.achieved.double().numpy(), looks)),
    ]
    report = "\n".join(f"{name:<44}{value:.3f}" for name, value in lines)
    (arguments.out.parent / "fit_quality.txt").write_text(
        f"Mean overlap, cross-validated\n{report}\n", encoding="utf-8"
    )

    best = fitted(head, looks.tokens, looks.achieved)
    weights = checkpoint.state_dict | {HEAD + name: tensor for name, tensor in best.state_dict().items()}
    texts = {key: value for key, value in checkpoint.metadata.items() if not key.startswith("msam_")}
    write_checkpoint(arguments.out, weights, checkpoint.config, texts, torch.int8)


if __name__ == "__main__":
    main()
