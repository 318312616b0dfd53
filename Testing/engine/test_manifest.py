"""The list of labelled scans: what it says, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import little_scan
import numpy as np
import pytest
import SimpleITK as sitk

from msam.errors import VolumeError
from msam.manifest import read_manifest

ENTRY: dict[str, Any] = {
    "dataset": "balls",
    "case": "ball_1",
    "modality": "PET FDG (SUV x 1000)",
    "split": "val",
    "image": "scan.nii.gz",
    "label": "label.nii.gz",
    "labels": {"1": "ball"},
}


def written(folder: Path, *entries: Any) -> Path:
    (folder / "manifest.json").write_text(json.dumps(list(entries)), encoding="utf-8")
    return folder / "manifest.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scan and its label."""
    little_scan.write_scan(tmp_path / "scan.nii.gz")
    little_scan.write_scan(tmp_path / "label.nii.gz", bright=1, dark=0)
    return tmp_path


def test_a_case_has_its_scan_its_label_and_its_modality(folder: Path) -> None:
    (case,) = read_manifest(written(folder, ENTRY, {**ENTRY, "split": "train"}), "val")
    volume, label = case.read()
    assert (case.dataset, case.case, case.labels) == ("balls", "ball_1", {1: "ball"})
    assert volume.modality == case.modality == "PT"
    np.testing.assert_array_equal(label != 0, little_scan.ball())


@pytest.mark.parametrize(
    ("entry", "patient"),
    [
        ({"case": "STS_001"}, "STS_001"),
        ({"case": "TCIA10_637_1__flair"}, "TCIA10_637_1"),
        ({"case": "scan_7", "patient": "P3"}, "P3"),
    ],
)
def test_scans_of_one_patient_are_told(folder: Path, entry: dict[str, str], patient: str) -> None:
    assert read_manifest(written(folder, {**ENTRY, **entry}), "val")[0].patient == patient


def test_the_shared_scans_are_all_listed_and_their_patients_are_right(shared: Path) -> None:
    cases = read_manifest(shared / "data" / "manifest.json", "val")
    patients = {case.dataset: set() for case in cases}
    for case in cases:
        patients[case.dataset].add(case.patient)
        assert case.image.is_file()
        assert case.label.is_file()
    counts = {name: len(found) for name, found in patients.items()}
    assert counts == {"hippocampus_mr": 25, "sarcoma_ct": 6, "sarcoma_mr": 6, "sarcoma_pet": 6, "glioma_mr": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("{}", "must be a list"),
        (json.dumps([ENTRY]), "no split 'val'"),
        (json.dumps([{key: value for key, value in ENTRY.items() if key != "label"}]), "Entry 1 .* 'label'"),
        (json.dumps([{**ENTRY, "labels": {"one": "ball"}}]), "Entry 1 .* is not a case"),
        (json.dumps([ENTRY, 7]), "Entry 2"),
    ],
)
def test_a_manifest_with_a_mistake_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "manifest.json").write_text(text.replace('"val"', '"train"'), encoding="utf-8")
    with pytest.raises(VolumeError, match=words):
        read_manifest(tmp_path / "manifest.json", "val")


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="cannot be read"):
        read_manifest(tmp_path / "none.json", "val")


@pytest.mark.parametrize(("change", "words"), [("size", "voxels"), ("place", "different places")])
def test_a_label_on_another_grid_is_refused(folder: Path, change: str, words: str) -> None:
    label = sitk.ReadImage(str(folder / "label.nii.gz"))
    if change == "place":
        label.SetOrigin((0.0, 0.0, 0.0))
    sitk.WriteImage(label[:-1] if change == "size" else label, str(folder / "label.nii.gz"))
    (case,) = read_manifest(written(folder, ENTRY), "val")
    with pytest.raises(VolumeError, match=words):
        case.read()
