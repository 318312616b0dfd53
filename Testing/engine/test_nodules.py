"""Procedural lung nodules: where they lie, how large they are, and that they come again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_folders import write
from stand_in import StandIn
from torch import Tensor
from typer.testing import CliRunner

import msam
from msam.cli.app import app
from msam.errors import VolumeError
from msam.evaluation.nodules import DIAMETERS_MM, NoduleCase, _chest, find_lung, nodule_cases, painted
from msam.manifest import Case, read_manifest
from msam.volume import Volume

AIR, LUNG, TISSUE = -1000, -850, 40
COUNT = 5


class Cautious(StandIn):
    """A stand-in whose certainty has bounds: in air, a lung is thousands of deviations away."""

    def decode(self, *arguments: Any) -> tuple[Tensor, Tensor]:
        logits, quality = super().decode(*arguments)
        return logits.clamp(-20, 20), quality


def chest() -> np.ndarray:
    """A body of soft tissue in air with two lungs, in voxels of 1 × 1 × 2 mm."""
    k, j, i = np.indices((60, 110, 140))
    voxels = np.full(k.shape, AIR)
    voxels[((j - 55) / 50) ** 2 + ((i - 70) / 65) ** 2 < 1] = TISSUE
    for centre in (40, 100):
        lung = ((k - 30) / 28) ** 2 + ((j - 55) / 38) ** 2 + ((i - centre) / 26) ** 2 < 1
        voxels[lung] = LUNG
    noise = np.random.default_rng(0).normal(0, 15, k.shape)
    return (voxels + noise).astype(np.int16)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chest")
    voxels = chest()
    label = np.zeros(voxels.shape, np.uint8)
    label[20:40, :, 70:] = 1  # a tumour in the middle of one lung
    write(folder / "ct.nii.gz", voxels)
    write(folder / "label.nii.gz", label)
    entry = {"dataset": "lung_ct", "case": "P1", "modality": "CT", "image": "ct.nii.gz", "label": "label.nii.gz"}
    entries = [{**entry, "split": split, "labels": {"1": "tumour"}} for split in ("example", "val")]
    path = folder / "manifest.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cases(manifest: Path) -> list[Case]:
    return nodule_cases(read_manifest(manifest, "example")[0], COUNT)


def test_nodules_are_as_large_as_they_should_be_and_lie_in_lung(cases: list[Case]) -> None:
    scan = chest()
    for case in cases:
        assert isinstance(case, NoduleCase)
        volume, label = case.read()
        size = (6 * np.count_nonzero(label) * 2 / np.pi) ** (1 / 3)
        assert size == pytest.approx(case.diameter, rel=0.2)
        inside = label > 0
        assert scan[inside].mean() == pytest.approx(LUNG, abs=100)
        assert not inside[20:40, :, 70:].any(), "away from what is labelled"
        # Farther from the nodule than its blur reaches, not a voxel has changed.
        k, j, i = np.argwhere(inside).T
        changed = np.argwhere(volume.voxels != scan)
        assert (changed.min(axis=0) >= np.array([k.min(), j.min(), i.min()]) - 5).all()
        assert (changed.max(axis=0) <= np.array([k.max(), j.max(), i.max()]) + 5).all()
        assert (volume.voxels >= scan).all(), "a nodule takes no density away"


@pytest.mark.parametrize("count", [6, 24])
def test_diameters_are_spread_over_the_range(manifest: Path, count: int) -> None:
    low, high = DIAMETERS_MM
    found = sorted(case.diameter for case in nodule_cases(read_manifest(manifest, "example")[0], count))
    assert low <= found[0] and found[-1] <= high
    assert max(np.diff([low, *found, high])) < 2.1 * (high - low) / count


def test_every_fourth_nodule_is_subsolid(cases: list[Case]) -> None:
    means = [volume.voxels[label > 0].mean() for volume, label in (case.read() for case in cases)]
    assert means[3] < -300 < means[4]


def test_the_same_nodules_come_again(cases: list[Case]) -> None:
    first = [case.read() for case in cases]
    _chest.cache_clear()
    for (volume, label), case in zip(first, cases, strict=True):
        again, same_label = case.read()
        assert np.array_equal(volume.voxels, again.voxels) and np.array_equal(label, same_label)


def test_lungs_are_the_air_inside_the_body() -> None:
    scan = chest()
    lung = find_lung(Volume(scan, np.diag([-1.0, -1.0, 2.0, 1.0]), "CT"))
    assert lung.mean() == pytest.approx((scan[5:-5, 20:-20, 20:-20] < -500).sum() / scan.size, rel=0.2)
    assert not lung[:, 0].any() and not lung[:, :, 0].any(), "not the air around it"
    with pytest.raises(VolumeError, match="shows none"):
        find_lung(Volume(np.full((10, 10, 10), TISSUE, np.int16), np.eye(4), "CT"))


def test_where_there_is_no_room_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msam.evaluation.nodules.MOST_TRIES", 5)
    lung = np.zeros((20, 20, 20), bool)
    lung[10, 10, 10] = True
    volume = Volume(np.full(lung.shape, LUNG, np.int16), np.eye(4), "CT")
    with pytest.raises(VolumeError, match="No place"):
        painted(volume, lung, ~lung, 8.0, subsolid=False, random=np.random.default_rng(0))


def test_evaluate_takes_them_as_a_data_set_of_their_own(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msam, "load_model", lambda *_: Cautious(), raising=False)
    out = tmp_path / "out.json"
    arguments = ["evaluate", "--data", str(manifest), "--nodules=3", "--datasets=lung_nodules", "--clicks=1"]
    done = CliRunner().invoke(app, [*arguments, "--refine=0", "--json", str(out), "--report", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    figures = json.loads(out.read_text(encoding="utf-8"))["datasets"]["lung_nodules"]
    assert (figures["cases"], figures["targets"], figures["patients"]) == (3, 3, 1)
    assert (tmp_path / "report" / "worst" / "lung_nodules_nodule_01_nodule.png").exists()


def test_without_a_chest_there_are_none(manifest: Path, tmp_path: Path) -> None:
    entries = json.loads(manifest.read_text(encoding="utf-8"))
    other = tmp_path / "manifest.json"
    other.write_text(json.dumps([{**entry, "modality": "MR"} for entry in entries]), encoding="utf-8")
    done = CliRunner().invoke(app, ["evaluate", "--data", str(other), "--nodules=3"])
    assert done.exit_code == 2
    assert "chest CT" in done.stderr
