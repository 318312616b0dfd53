"""The published sizes against the published figures (`Testing/data/parity`, from the parity cases).

Embeddings are compared directly. Logits need care: the cases' weights make the decoder chaotic (see
`parity_weights.well_conditioned`), so that a relative change of the embedding by 1e-6, which is float32's own rounding,
moves logits by up to 0.1 and, fed back, by several units. Computed the published way, on another number of threads,
they miss the published figures by as much. So the arithmetic is compared in double precision, where rounding cannot
hide a difference; the published figures step by step, within what rounding does; and whole iterations with the same
weights well conditioned.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from parity_weights import image, published_tensor, published_weights, well_conditioned
from published_way import PublishedWay
from torch import Tensor

from msam.checkpoints.lora import fold_lora
from msam.checkpoints.naming import rename_published
from msam.config import VIT_B_MSAM, VIT_B_SAM_MED3D, ModelConfig
from msam.model.network import MSAM

FAMILIES = {"msam": VIT_B_MSAM, "sammed3d": VIT_B_SAM_MED3D}
Steps = list[tuple[Tensor, Tensor]]


class Family:
    """The network of one family with the cases' weights."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        published = published_weights(folder / f"{name}_keys.json")
        self.weights = {ours: published[theirs] for theirs, ours in rename_published(published).items()}
        self.expected = np.load(folder / "expected.npz")
        self.cases: list[tuple[int, Steps]] = []
        for case in json.loads((folder / "cases.json").read_text()):
            if f"{name}_{case['seed']}_embedding" in self.expected:
                clicks = [torch.tensor(step, dtype=torch.float32)[None] for step in case["steps"]]
                self.cases.append((case["seed"], [(step[..., :3], step[..., 3]) for step in clicks]))
        self.network = network(FAMILIES[name], self.weights)
        self.encoded = {seed: self.network.encode(image(seed)) for seed, _ in self.cases}

    def figure(self, seed: int, what: str) -> np.ndarray:
        return self.expected[f"{self.name}_{seed}_{what}"]


def network(config: ModelConfig, weights: dict[str, Tensor]) -> MSAM:
    with torch.device("meta"):
        built = MSAM(dataclasses.replace(config, lora_rank=0))
    built.load_state_dict(fold_lora(weights), assign=True)
    return built.eval().requires_grad_(False)


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request: pytest.FixtureRequest, data: Path) -> Iterator[Family]:
    yield Family(request.param, data / "parity")


def test_embeddings_are_the_published_ones(family: Family) -> None:
    for seed, _ in family.cases:
        expected = family.figure(seed, "embedding")
        embedding = family.encoded[seed].embedding[0, :, ::2, ::2, ::2].numpy()
        assert np.linalg.norm(embedding - expected) <= 1e-5 * np.linalg.norm(expected)


def test_steps_are_the_published_arithmetic_in_double_precision(family: Family) -> None:
    exact = network(FAMILIES[family.name], family.weights).double()
    literal = PublishedWay(exact)
    seed, steps = family.cases[0]
    encoded = exact.from_embedding(family.encoded[seed].embedding.double())
    mask = torch.zeros(1, 1, 32, 32, 32, dtype=torch.float64)
    for points, labels in steps:
        logits, quality = exact.decode(encoded, points.double(), labels.double(), mask)
        expected_logits, expected_quality = literal.decode(
            (encoded.embedding, []), points.double(), labels.double(), mask
        )
        assert (logits - expected_logits).abs().max() < 1e-6
        assert (quality - expected_quality).abs().max() < 1e-6
        mask = expected_logits


def test_steps_give_the_published_figures_within_rounding(family: Family) -> None:
    for seed, steps in family.cases:
        encoded = family.encoded[seed]
        mask = torch.zeros(1, 1, 32, 32, 32)
        for number, (points, labels) in enumerate(steps):
            logits, quality = family.network.decode(encoded, points, labels, mask)
            expected = torch.from_numpy(family.figure(seed, f"step{number}_logits"))[None, None]
            assert (logits - expected).abs().max() < 0.25, "logits reach 6; float32 itself is good to about 0.1 here"
            assert abs(float(quality) - float(family.figure(seed, f"step{number}_iou")[0])) < 0.02
            assert ((logits > 0) == (expected > 0)).float().mean() > 0.99
            mask = expected


def test_iterations_hold_to_1e_4_where_the_weights_are_well_conditioned(family: Family) -> None:
    sane = network(FAMILIES[family.name], well_conditioned(family.weights))
    literal = PublishedWay(sane)
    for seed, steps in family.cases:
        encoded = sane.from_embedding(family.encoded[seed].embedding)
        mask = expected_mask = torch.zeros(1, 1, 32, 32, 32)
        for points, labels in steps:
            mask, quality = sane.decode(encoded, points, labels, mask)
            expected_mask, expected_quality = literal.decode((encoded.embedding, []), points, labels, expected_mask)
            assert (mask - expected_mask).abs().max() < 1e-4
            assert (quality - expected_quality).abs().max() < 1e-4


def test_weights_are_the_cases_own(shared: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("original", shared / "parity" / "weights.py")
    assert spec is not None and spec.loader is not None
    original = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(original)
    shapes = json.loads((shared / "parity" / "msam_keys.json").read_text())
    for name in list(shapes)[::23]:
        assert np.array_equal(published_tensor(name, shapes[name]).numpy(), original.make_tensor(name, shapes[name]))
    assert np.array_equal(image(101).numpy(), original.make_image(101))
