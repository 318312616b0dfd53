"""`msam-segment batch`: a table of clicks, a folder of masks, and a report that hides nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import little_scan
import numpy as np
import pytest
import SimpleITK as sitk
from stand_in import StandIn
from typer.testing import CliRunner

import msam
from msam.cli.app import app
from msam.volume import Volume

INSIDE = little_scan.written(little_scan.CENTRE_IJK)
OUTSIDE = little_scan.written(little_scan.OUTSIDE_IJK)


class Batch:
    """A folder with two scans, a table of clicks and a folder for the masks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.masks = folder / "masks"
        self.models_loaded = 0
        (folder / "scans").mkdir()
        for name in ("a", "b"):
            little_scan.write_scan(folder / "scans" / f"{name}.nii.gz")

    def load(self, source: str, device: str | None = None) -> StandIn:
        self.models_loaded += 1
        return StandIn()

    def run(self, table: str, *arguments: str) -> Any:
        (self.folder / "table.csv").write_text(table, encoding="utf-8")
        return CliRunner().invoke(app, ["batch", str(self.folder / "table.csv"), "-o", str(self.masks), *arguments])

    def report(self) -> list[dict[str, str]]:
        with (self.masks / "report.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def voxels(self, name: str) -> int:
        return int(sitk.GetArrayFromImage(sitk.ReadImage(str(self.masks / name))).astype(bool).sum())


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    batch = Batch(tmp_path)
    monkeypatch.setattr(msam, "load_model", batch.load, raising=False)
    return batch


def test_every_scan_gets_its_mask_and_the_model_is_loaded_once(batch: Batch) -> None:
    done = batch.run(f"scan,i,j,k\nscans/a.nii.gz,{INSIDE}\nscans/b.nii.gz,{INSIDE}\n", "--refine", "1")
    assert done.exit_code == 0, done.output
    assert "2 done" in done.stdout
    assert batch.voxels("a_mask.nii.gz") == batch.voxels("b_mask.nii.gz") == little_scan.ball().sum()
    assert batch.models_loaded == 1


def test_a_failing_scan_stops_no_other_and_is_reported(batch: Batch) -> None:
    table = f"scan,i,j,k\nscans/none.nii,{INSIDE}\nscans/a.nii.gz,900,0,0\nscans/b.nii.gz,{INSIDE}\n"
    done = batch.run(table)
    assert done.exit_code == 1
    assert "1 done, 2 failed" in done.stdout
    assert "none.nii" in done.stdout
    assert [row["status"] for row in batch.report()] == ["failed", "failed", "done"]
    assert "outside the volume" in batch.report()[1]["message"]
    assert {path.name for path in batch.masks.iterdir()} == {"b_mask.nii.gz", "report.csv"}


def test_an_unexpected_error_stops_no_other_scan_either(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Volume.read

    def read_but_not_a(path: Path, **options: Any) -> Volume:
        if path.name == "a.nii.gz":
            raise ZeroDivisionError
        return read(path, **options)

    monkeypatch.setattr(Volume, "read", read_but_not_a)
    done = batch.run(f"scan,i,j,k\nscans/a.nii.gz,{INSIDE}\nscans/b.nii.gz,{INSIDE}\n")
    assert done.exit_code == 1
    assert "unexpected" in batch.report()[0]["message"]
    assert batch.report()[1]["status"] == "done"


def test_json_and_the_report_say_the_same(batch: Batch) -> None:
    done = batch.run(f"scan,i,j,k\nscans/a.nii.gz,{INSIDE}\nscans/none.nii,{INSIDE}\n", "--json")
    told = json.loads(done.stdout)
    assert (told["done"], told["empty"], told["failed"]) == (1, 0, 1)
    for entry, row in zip(told["scans"], batch.report(), strict=True):
        assert entry["scan"] == row["scan"]
        assert entry["status"] == row["status"]
        assert (entry["mask"] or "") == row["mask"]
    assert told["scans"][0]["longest_diameter_mm"] == pytest.approx(18.0)
    assert float(batch.report()[0]["volume_ml"]) == pytest.approx(told["scans"][0]["volume_ml"], abs=1e-3)


def test_rows_of_one_lesion_are_its_clicks(batch: Batch) -> None:
    left, back, up = little_scan.lps((20, 18, 14))
    table = (
        "scan,name,x,y,z,frame,label,output\n"
        f"scans/a.nii.gz,tumour,{INSIDE},ijk,positive,\n"
        f"scans/a.nii.gz,tumour,{left},{back},{up},lps,1,\n"
        f"scans/a.nii.gz,tumour,{OUTSIDE},ijk,negative,\n"
        f"scans/a.nii.gz,node,{INSIDE},ijk,1,n.mha\n"
    )
    told = json.loads(batch.run(table, "--json").stdout)
    assert [entry["mask"] for entry in told["scans"]] == ["a_tumour.nii.gz", "n.mha"]
    tumour = told["scans"][0]["points"]
    assert [point["positive"] for point in tumour] == [True, True, False]
    assert tumour[1]["ijk"] == pytest.approx((20, 18, 14))


def test_an_empty_mask_has_its_own_exit_code(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    found = StandIn.decode
    monkeypatch.setattr(StandIn, "decode", lambda *prompts: (found(*prompts)[0] * 0 - 5, found(*prompts)[1]))
    done = batch.run(f"scan,i,j,k\nscans/a.nii.gz,{INSIDE}\n")
    assert done.exit_code == 3
    assert batch.report()[0]["status"] == "empty"
    assert batch.voxels("a_mask.nii.gz") == 0


def test_a_cancelled_batch_reports_what_was_done(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Volume.read

    def read_until_b(path: Path, **options: Any) -> Volume:
        if path.name == "b.nii.gz":
            raise KeyboardInterrupt
        return read(path, **options)

    monkeypatch.setattr(Volume, "read", read_until_b)
    done = batch.run(f"scan,i,j,k\nscans/a.nii.gz,{INSIDE}\nscans/b.nii.gz,{INSIDE}\n")
    assert done.exit_code == 130
    assert [row["scan"] for row in batch.report()] == ["scans/a.nii.gz"]


def test_a_scan_with_several_lesions_is_read_once(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    read, paths = Volume.read, []

    def counted(path: Path, **options: Any) -> Volume:
        paths.append(path.name)
        return read(path, **options)

    monkeypatch.setattr(Volume, "read", counted)
    rows = f"scans/a.nii.gz,x,{INSIDE}\nscans/a.nii.gz,y,{INSIDE}\nscans/b.nii.gz,z,{INSIDE}\n"
    assert batch.run("scan,name,i,j,k\n" + rows).exit_code == 0
    assert paths == ["a.nii.gz", "b.nii.gz"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("i,j,k\n1,2,3\n", "no column 'scan'"),
        ("scan,i,j,k\n", "no rows"),
        ("scan,i,j,k\na.nii,1,2,x\n", "line 2: a position needs three numbers"),
        ("scan,i,j,k\n,1,2,3\n", "line 2: the column 'scan' is empty"),
        ("scan,i,j,k\nx/a.nii,1,2,3\ny/a.nii,1,2,3\n", "line 3: the mask a_mask.nii.gz is already that of another"),
        ("scan,name,i,j,k\na.nii,../up,1,2,3\n", "line 2: 'a_../up.nii.gz' cannot be the name of a file"),
        ("scan,output,i,j,k\na.nii,m.jpg,1,2,3\n", "line 2: the mask 'm.jpg' has no ending"),
        ("scans,i,j,k\na.nii,1,2,3\n", "If 'scan' is meant"),
    ],
)
def test_a_table_with_a_mistake_is_refused_before_any_work(batch: Batch, table: str, words: str) -> None:
    refused = batch.run(table)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert batch.models_loaded == 0
    assert not batch.masks.exists()


def test_masks_that_are_there_are_kept_unless_asked_to_replace_them(batch: Batch) -> None:
    table = f"scan,i,j,k\nscans/a.nii.gz,{INSIDE}\n"
    assert batch.run(table).exit_code == 0
    before = (batch.masks / "a_mask.nii.gz").read_bytes()
    refused = batch.run(table)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert (batch.masks / "a_mask.nii.gz").read_bytes() == before
    assert batch.run(table, "--overwrite").exit_code == 0


def test_masks_have_the_geometry_of_their_scans(batch: Batch) -> None:
    batch.run(f"scan,i,j,k\nscans/a.nii.gz,{INSIDE}\n")
    scan, mask = Volume.read(batch.folder / "scans" / "a.nii.gz"), Volume.read(batch.masks / "a_mask.nii.gz")
    np.testing.assert_allclose(mask.ijk_to_ras, scan.ijk_to_ras, atol=1e-5)
