"""What training reads: every layout of labelled folders, the split, and the unions of labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_folders import decathlon, labelled, nnunet, plain_pair, write

from msam.errors import VolumeError
from msam.manifest import Case
from msam.training.cases import targets_of
from msam.training.dataset_json import labels_of
from msam.training.layouts import find_cases
from msam.training.splitting import split_cases
from msam.training.unions import touching

NNUNET_LABELS = {"background": 0, "shell": 1, "core": 2}


def one_of(folder: Path, channel: int = 0) -> Case:
    training, validation = find_cases(folder, channel)
    assert len(training) == 2 and len(validation) == 1, "a tenth of three, but at least one"
    return training[0]


def test_a_plain_pair_of_folders_names_the_values_it_finds(tmp_path: Path) -> None:
    case = one_of(plain_pair(tmp_path / "mine"))
    assert (case.dataset, case.labels) == ("mine", {1: "label 1", 2: "label 2"})
    volume, label = case.read()
    assert volume.voxels.shape == label.shape


def test_scans_of_one_patient_stay_together(tmp_path: Path) -> None:
    for number in range(4):
        scan, label = labelled(number)
        for sequence in ("flair", "t1"):
            write(tmp_path / "images" / f"P{number}__{sequence}.nii.gz", scan)
            write(tmp_path / "labels" / f"P{number}__{sequence}.nii.gz", label)
    training, validation = find_cases(tmp_path)
    assert len(validation) == 2 and len({case.patient for case in validation}) == 1
    assert not {case.patient for case in training} & {case.patient for case in validation}


def test_a_single_value_is_the_object(tmp_path: Path) -> None:
    for name in ("a", "b"):
        scan, label = labelled(0)
        write(tmp_path / "images" / f"{name}.nrrd", scan)
        write(tmp_path / "labels" / f"{name}.nii.gz", (label > 0).astype(np.uint8))
    training, _ = find_cases(tmp_path)
    assert training[0].labels == {1: "object"}
    assert training[0].image.suffix == ".nrrd", "a scan and its label may be of different formats"


@pytest.mark.parametrize("channel", [0, 1])
def test_nnunet_keeps_channels_in_files(tmp_path: Path, channel: int) -> None:
    case = one_of(nnunet(tmp_path / "Dataset007_Balls", NNUNET_LABELS, {"0": "CT", "1": "PET"}), channel)
    assert (case.dataset, case.modality) == ("Dataset007_Balls", ("CT", "PT")[channel])
    assert case.labels == {1: "shell", 2: "core"}
    assert (case.read()[0].voxels.mean() > 600) == (channel == 1)


@pytest.mark.parametrize("channel", [0, 1])
def test_the_decathlon_keeps_channels_in_frames(tmp_path: Path, channel: int) -> None:
    case = one_of(decathlon(tmp_path / "Task01_Balls"), channel)
    assert (case.modality, case.labels) == ("MR", {1: "shell", 2: "core"})
    assert (case.read()[0].voxels.mean() > 600) == (channel == 1)


def test_msams_folders_are_data_sets_of_their_own(tmp_path: Path) -> None:
    for kind in ("ct_lung", "mr_liver"):
        for number in range(2):
            scan, label = labelled(number)
            write(tmp_path / "union" / kind / "imagesTr" / f"{number}.nii.gz", scan)
            write(tmp_path / "union" / kind / "labelsTr" / f"{number}.nii.gz", label)
    training, validation = find_cases(tmp_path)
    assert [(case.dataset, case.modality) for case in training] == [("ct_lung", "CT"), ("mr_liver", "MR")]
    assert [case.dataset for case in validation] == ["ct_lung", "mr_liver"]


@pytest.mark.parametrize("own_split", [True, False])
def test_a_manifest_decides_itself_where_it_can(tmp_path: Path, own_split: bool) -> None:
    plain_pair(tmp_path)
    entries = [
        {
            "dataset": "balls",
            "case": f"case{number}",
            "modality": "MR T1",
            "split": "val" if own_split and number == 0 else "train",
            "image": f"images/case{number}.nii.gz",
            "label": f"labels/case{number}.nii.gz",
            "labels": {"1": "shell"},
        }
        for number in range(3)
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(entries), encoding="utf-8")
    for path in (tmp_path, tmp_path / "manifest.json"):
        training, validation = find_cases(path)
        assert (len(training), len(validation)) == (2, 1)
        assert not own_split or validation[0].case == "case0"


def test_both_dialects_of_labels_and_regions() -> None:
    where = Path("dataset.json")
    assert labels_of({"labels": {"0": "background", "2": "core"}}, where) == {2: "core"}
    assert labels_of({"labels": {"background": 0, "core": 2, "ignore": 3}}, where) == {2: "core"}
    regions = {"background": 0, "whole tumour": [1, 2, 3], "core": [2, 3], "enhancing": [3]}
    assert labels_of({"labels": regions}, where) == {1: "label 1", 2: "label 2", 3: "enhancing"}
    for wrong in ({}, {"labels": ["core"]}, {"labels": {"core": "two"}}, {"labels": {"background": 0}}):
        with pytest.raises(VolumeError):
            labels_of(wrong, where)


def test_what_cannot_be_trained_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="no folder and no manifest"):
        find_cases(tmp_path / "nowhere")
    with pytest.raises(VolumeError, match="layout that is known"):
        find_cases(tmp_path)
    scan, label = labelled(0)
    write(tmp_path / "labels" / "one.nii.gz", label)
    with pytest.raises(VolumeError, match="has no scan"):
        find_cases(tmp_path)
    write(tmp_path / "images" / "one.nii.gz", scan)
    with pytest.raises(VolumeError, match="only one labelled patient"):
        find_cases(tmp_path)


def a_case(name: str, patient: str) -> Case:
    return Case("a_set", name, patient, "CT", "", Path(name), Path(name), {1: "object"})


@given(names=st.sets(st.text("abcdef0123", min_size=1, max_size=5), min_size=2, max_size=40))
def test_the_split_is_by_patient_and_follows_from_names_alone(names: set[str]) -> None:
    cases = [a_case(f"{name}-{scan}", name) for name in sorted(names) for scan in "ab"]
    training, validation = split_cases(cases)
    kept = {case.patient for case in validation}
    assert len(kept) == max(1, round(len(names) / 10))
    assert kept.isdisjoint(case.patient for case in training)
    assert len(training) + len(validation) == len(cases)
    again = split_cases(cases[::-1])
    assert {case.case for case in again[1]} == {case.case for case in validation}


def test_labels_that_touch_make_one_more_object(tmp_path: Path) -> None:
    case = one_of(plain_pair(tmp_path))
    names = [target.name for target in targets_of([case], unions=True)]
    assert names == ["label 1", "label 2", "label 1 + label 2"]
    whole = targets_of([case], unions=True)[-1]
    assert np.array_equal(whole.mask_kji, case.read()[1] > 0)
    assert len(targets_of([case])) == 2


def test_the_rule_of_unions() -> None:
    label = np.zeros((1, 1, 20), np.uint8)
    label[0, 0] = [1, 2, 0, 3, 0, 4, 5, 6, 0, 7, 8, 9, 10, 11, 0, 12, 13, 0, 14, 0]
    # 4-5-6 through one another; 7 to 11 are too many; 13 is no object of ours, so it joins nothing.
    assert touching(label, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14]) == [(1, 2), (4, 5, 6)]
    assert touching(label[0, 0][:, None, None], [1, 2, 3]) == [(1, 2)], "along every axis"


def test_specks_are_no_objects_and_large_values_no_labels(tmp_path: Path) -> None:
    case = one_of(plain_pair(tmp_path))
    label = np.zeros(case.read()[1].shape, np.int16)
    label[5, 5, 5:10] = 1
    write(case.label, label)
    assert targets_of([case]) == []
    label[5, 5, 5] = 300
    write(case.label, label)
    with pytest.raises(VolumeError, match="300"):
        targets_of([case])
