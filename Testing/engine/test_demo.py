"""The demo: what a newcomer sees after `make demo`."""

from __future__ import annotations

import re
from pathlib import Path

import little_scan
import pytest
import SimpleITK as sitk
from stand_in import StandIn
from typer.testing import CliRunner

import msam
from msam import demo
from msam.cli.app import app
from msam.demo import find_case
from msam.errors import VolumeError
from msam.evaluation.overlap import dice


class TestWhichScanIsTaken:
    def test_the_chest_ct_with_its_tumour(self, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MSAM_DATA", str(shared / "data"))
        case = find_case()
        i, j, k = case.click
        assert case.volume.shape_ijk == (512, 512, 99)
        assert case.volume.is_ct
        assert case.truth[k, j, i]
        assert "lung tumour" in case.description

    def test_the_phantom_where_there_are_no_data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MSAM_DATA", raising=False)
        monkeypatch.setattr(demo, "__file__", str(tmp_path / "a" / "b" / "c" / "demo.py"))
        case = find_case()
        i, j, k = case.click
        assert case.truth[k, j, i]
        assert "phantom" in case.description

    def test_a_folder_named_in_vain_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MSAM_DATA", str(tmp_path))
        with pytest.raises(VolumeError, match="MSAM_DATA"):
            find_case()


class TestTheCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder to work in, and data in which the little scan stands for the chest CT."""
        for part in (demo.SCAN, demo.LABELS):
            (tmp_path / "data" / part).parent.mkdir(parents=True)
        little_scan.write_scan(tmp_path / "data" / demo.SCAN)
        little_scan.write_scan(tmp_path / "data" / demo.LABELS, bright=1, dark=0)
        monkeypatch.setenv("MSAM_DATA", str(tmp_path / "data"))
        monkeypatch.setattr(msam, "load_model", lambda source, device=None: StandIn(), raising=False)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_shows_a_lesion_segmented_and_says_where_it_is(self, folder: Path) -> None:
        shown = CliRunner().invoke(app, ["demo"])
        assert shown.exit_code == 0, shown.output
        assert re.findall(r"1\.000|0\.99\d", shown.stdout), shown.stdout
        assert "preview.png" in shown.stdout
        assert "msam-segment segment SCAN --point" in shown.stdout
        assert (folder / "demo-output" / "preview.png").read_bytes().startswith(b"\x89PNG")
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "demo-output" / "mask.nii.gz")))
        assert dice(mask, little_scan.ball()) > 0.99

    def test_can_be_run_again(self, folder: Path) -> None:
        for _ in range(2):
            assert CliRunner().invoke(app, ["demo", "--output-folder", str(folder / "out")]).exit_code == 0
