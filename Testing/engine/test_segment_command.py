"""`msam-segment segment`: from a scan in a file to a mask in a file."""

from __future__ import annotations

import errno
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


class Commands:
    """Runs commands in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scan = little_scan.write_scan(folder / "scan.nii.gz")

    def segment(self, *arguments: object, scan: Path | None = None, output: str = "mask.nii.gz") -> Any:
        where = ["segment", str(scan or self.scan), "-o", str(self.folder / output)]
        return CliRunner().invoke(app, [*where, *map(str, arguments)])

    def mask(self, name: str = "mask.nii.gz") -> np.ndarray:
        return Volume.read(self.folder / name).voxels.astype(bool)

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def model() -> StandIn:
    return StandIn()


@pytest.fixture
def commands(tmp_path: Path, model: StandIn, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setattr(msam, "load_model", lambda source, device=None: model, raising=False)
    return Commands(tmp_path)


def test_a_click_gives_the_mask_of_the_lesion_in_the_geometry_of_the_scan(commands: Commands) -> None:
    done = commands.segment("--point", INSIDE)
    assert done.exit_code == 0, done.output
    assert (commands.mask() == little_scan.ball()).mean() > 0.999
    scan, mask = Volume.read(commands.scan), Volume.read(commands.folder / "mask.nii.gz")
    np.testing.assert_allclose(mask.ijk_to_ras, scan.ijk_to_ras, atol=1e-5)
    assert mask.voxels.dtype == np.uint8


def test_volume_diameter_quality_and_time_are_printed(commands: Commands) -> None:
    printed = commands.segment("--point", INSIDE).stdout
    volume_ml = little_scan.ball().sum() * np.prod(little_scan.SPACING) / 1000
    assert f"{volume_ml:.2f} mL" in printed
    assert "18.0 mm" in printed
    assert "0.90" in printed
    assert "seconds" in printed


@pytest.mark.parametrize("name", ["mask.nii", "mask.nrrd", "mask.mha", "MASK.NII.GZ"])
def test_masks_are_written_in_every_format(commands: Commands, name: str) -> None:
    assert commands.segment("--point", INSIDE, output=name).exit_code == 0
    assert commands.mask(name).sum() == little_scan.ball().sum()


@pytest.mark.parametrize("frame", ["ras", "lps"])
@pytest.mark.parametrize("joined", [True, False])
def test_positions_in_mm_may_be_negative_in_either_way_of_writing(commands: Commands, frame: str, joined: bool) -> None:
    position = little_scan.written(getattr(little_scan, frame)((22, 18, 14)))
    assert "-" in position
    point = [f"--point={position}"] if joined else ["--point", position]
    done = commands.segment(*point, "--frame", frame)
    assert done.exit_code == 0, done.output
    assert commands.mask().sum() == little_scan.ball().sum()


def test_a_position_that_starts_with_a_minus_is_no_option(commands: Commands) -> None:
    left = little_scan.lps((17, 18, 14))
    assert left[0] < 0
    done = commands.segment("--frame", "lps", "--point", little_scan.written(left), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["points"][0]["ijk"] == pytest.approx((17, 18, 14))


def test_json_is_all_that_is_on_stdout(commands: Commands) -> None:
    negative = little_scan.written(little_scan.OUTSIDE_IJK)
    done = commands.segment("--point", INSIDE, "--negative", negative, "--refine", "2", "--json")
    told = json.loads(done.stdout)
    assert told["mask"] == str(commands.folder / "mask.nii.gz")
    assert told["voxels"] == little_scan.ball().sum()
    assert told["longest_diameter_mm"] == pytest.approx(18.0)
    assert told["quality"] == pytest.approx(0.9)
    assert told["empty"] is False
    assert told["model"] == "stand-in"
    assert told["seconds"] > 0
    assert [point["positive"] for point in told["points"]] == [True, False]


def test_clicks_come_from_a_point_list_of_slicer(commands: Commands) -> None:
    points = commands.folder / "F.mrk.json"
    control = [{"label": "F-1", "position": little_scan.lps(little_scan.CENTRE_IJK), "positionStatus": "defined"}]
    points.write_text(
        json.dumps({"markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": control}]})
    )
    told = json.loads(commands.segment("--points", points, "--json").stdout)
    assert told["points"][0]["ijk"] == pytest.approx(little_scan.CENTRE_IJK)
    assert told["voxels"] == little_scan.ball().sum()


def test_refining_feeds_the_mask_back(commands: Commands, model: StandIn) -> None:
    commands.segment("--point", INSIDE)
    once = model.decoded
    commands.segment("--point", INSIDE, "--refine", "3", "--overwrite")
    assert model.decoded - once > once


def test_an_existing_mask_can_be_the_start(commands: Commands) -> None:
    assert commands.segment("--point", INSIDE, output="first.nrrd").exit_code == 0
    done = commands.segment("--point", INSIDE, "--mask-prompt", commands.folder / "first.nrrd")
    assert done.exit_code == 0, done.output
    assert commands.mask().any()


def test_the_preview_is_drawn(commands: Commands) -> None:
    done = commands.segment("--point", INSIDE, "--preview", commands.folder / "picture.png")
    assert done.exit_code == 0, done.output
    assert (commands.folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert "picture.png" in done.stdout.replace("\n", "")


def test_a_frame_of_a_4d_file_can_be_chosen(commands: Commands) -> None:
    scan = sitk.ReadImage(str(commands.scan))
    series = commands.folder / "series.nrrd"
    sitk.WriteImage(sitk.JoinSeries(scan * 0, scan), str(series))
    done = commands.segment("--point", INSIDE, "--time-point", "1", scan=series)
    assert done.exit_code == 0, done.output
    assert commands.mask().sum() == little_scan.ball().sum()


class TestWhatIsRefused:
    """Always with exit code 2, one sentence on stderr, and no file."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "no click to start from"),
            (["--point", "1,2"], "--point 1,2: a position needs three numbers"),
            (["--point", "1,2,x"], "three numbers"),
            (["--point", "500,2,3"], "outside the volume"),
            (["--negative", INSIDE], "no positive point"),
            (["--points", "none.json"], "none.json cannot be read"),
            (["--point", INSIDE, "--time-point", "3"], "frame|one"),
            (["--point", INSIDE, "--series", "1.2.3"], "no DICOM"),
            (["--point", INSIDE, "--preview", "picture.jpg"], "choose one of .png"),
            (["--point", INSIDE, "--preview", "nowhere/picture.png"], "folder 'nowhere' does not exist"),
            (["--point", INSIDE, "--mask-prompt", "none.nii"], "none.nii"),
        ],
    )
    def test_input_that_cannot_be_used(self, commands: Commands, arguments: list[str], words: str) -> None:
        refused = commands.segment(*arguments)
        assert refused.exit_code == 2
        assert refused.stdout == ""
        assert refused.stderr.startswith("Error: ")
        assert refused.stderr.count("\n") == 1
        assert any(word in refused.stderr for word in words.split("|")), refused.stderr
        assert commands.files() == {"scan.nii.gz"}

    def test_a_scan_that_is_not_there(self, commands: Commands) -> None:
        refused = commands.segment("--point", INSIDE, scan=commands.folder / "none.nii")
        assert (refused.exit_code, refused.stdout) == (2, "")

    @pytest.mark.parametrize(("output", "words"), [("mask.jpg", "ending"), ("none/mask.nii", "does not exist")])
    def test_an_output_that_cannot_be_written_costs_no_time(
        self, commands: Commands, model: StandIn, output: str, words: str
    ) -> None:
        refused = commands.segment("--point", INSIDE, output=output)
        assert refused.exit_code == 2
        assert words in refused.stderr
        assert model.encoded == 0

    def test_files_that_are_there_are_kept_unless_asked_to_replace_them(self, commands: Commands) -> None:
        (commands.folder / "mask.nii.gz").write_text("precious")
        refused = commands.segment("--point", INSIDE)
        assert refused.exit_code == 2
        assert "--overwrite" in refused.stderr
        assert (commands.folder / "mask.nii.gz").read_text() == "precious"
        assert commands.segment("--point", INSIDE, "--overwrite").exit_code == 0
        assert commands.mask().any()

    def test_the_scan_itself_is_never_replaced(self, commands: Commands) -> None:
        before = commands.scan.read_bytes()
        refused = commands.segment("--point", INSIDE, "--overwrite", output="scan.nii.gz")
        assert refused.exit_code == 2
        assert commands.scan.read_bytes() == before

    def test_what_the_system_refuses_is_named_and_no_defect(self, commands: Commands) -> None:
        too_long = f"{'n' * 300}.nii.gz"
        refused = commands.segment("--point", INSIDE, output=too_long)
        assert refused.exit_code == 2
        assert refused.stderr == f"Error: '{commands.folder / too_long}' cannot be used: File name too long.\n"

    def test_a_full_disk_is_told_as_such(self, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Volume, "write_mask", full)
        failed = commands.segment("--point", INSIDE)
        assert failed.exit_code == 70
        assert "No space left on device" in failed.stderr

    def test_a_mask_of_another_grid(self, commands: Commands) -> None:
        moved = sitk.ReadImage(str(commands.scan))
        moved.SetOrigin((0.0, 0.0, 0.0))
        sitk.WriteImage(moved, str(commands.folder / "moved.nrrd"))
        refused = commands.segment("--point", INSIDE, "--mask-prompt", commands.folder / "moved.nrrd")
        assert refused.exit_code == 2
        assert "mm away" in refused.stderr


def test_an_empty_mask_is_written_and_told_by_its_own_exit_code(
    commands: Commands, model: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = model.decode
    monkeypatch.setattr(model, "decode", lambda *prompts: (found(*prompts)[0] * 0 - 5, found(*prompts)[1]))
    done = commands.segment("--point", INSIDE, "--refine", "2", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["empty"] is True
    assert "empty" in done.stderr
    assert not commands.mask().any()


def test_an_unexpected_error_is_one_sentence_and_in_full_with_debug(
    commands: Commands, model: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(model, "encode", broken)
    failed = commands.segment("--point", INSIDE)
    assert failed.exit_code == 70
    assert failed.stderr.startswith("Error: Something unexpected happened (ZeroDivisionError)")
    assert "--debug" in failed.stderr
    assert failed.stderr.count("\n") == 1
    arguments = ["--debug", "segment", str(commands.scan), "-o", str(commands.folder / "m.nii"), "-p", INSIDE]
    assert isinstance(CliRunner().invoke(app, arguments).exception, ZeroDivisionError)


def test_a_cancelled_run_leaves_nothing_behind(
    commands: Commands, model: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "decode", interrupted)
    cancelled = commands.segment("--point", INSIDE)
    assert cancelled.exit_code == 130
    assert "Cancelled" in cancelled.stderr
    assert commands.files() == {"scan.nii.gz"}
