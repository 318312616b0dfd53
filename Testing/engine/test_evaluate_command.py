"""`msam-segment evaluate` as a whole: a stand-in model on little scans, where every figure can be checked."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from labelled_folders import plain_pair
from stand_in import StandIn
from typer.testing import CliRunner

import msam
from msam.cli.app import app
from msam.evaluation.baselines import registry
from msam.evaluation.bootstrap import bootstrap_interval
from msam.evaluation.metrics import METRICS
from msam.training.layouts import find_cases
from msam.volume import Volume

SHAPE_IJK, SPACING = (40, 36, 24), (1.0, 1.25, 2.0)
# Centres of a large and of a small ball (i, j, k), and their radii in mm.
LARGE, SMALL = ((12, 16, 11), 9.0), ((30, 18, 12), 5.0)


def ball(centre: tuple[int, int, int], radius: float) -> np.ndarray:
    along = [(np.arange(n) - c) * step for n, c, step in zip(SHAPE_IJK, centre, SPACING, strict=True)]
    return along[2][:, None, None] ** 2 + along[1][:, None] ** 2 + along[0] ** 2 <= radius**2


def write(path: Path, voxels: np.ndarray) -> None:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path))


def write_case(folder: Path, name: str, dataset: str, *, shadow: float = 0.0, split: str = "val") -> dict[str, Any]:
    """Two bright balls; a shadow darkens the lower part of the large one, by so many units, so that it is missed."""
    label = np.where(ball(*LARGE), 1, 0) + np.where(ball(*SMALL), 2, 0)
    voxels = np.where(label > 0, 400.0, 100.0)
    voxels[:8][label[:8] == 1] -= shadow
    write(folder / f"{name}.nii.gz", voxels.astype(np.int16))
    write(folder / f"{name}-label.nii.gz", label.astype(np.uint8))
    return {
        "dataset": dataset,
        "case": name,
        "modality": "MR T1",
        "split": split,
        "image": f"{name}.nii.gz",
        "label": f"{name}-label.nii.gz",
        "labels": {"1": "large ball", "2": "small ball", "3": "no ball"},
    }


# A baseline that is given boxes, and segments what is bright in them.
PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from Testing.benchmarks.answering import answer

def method(voxels, request):
    mask = voxels > 1000
    for k, (i0, j0, i1, j1) in request["boxes"].items():
        part = slice(j0, j1 + 1), slice(i0, i1 + 1)
        mask[int(k)][part] = voxels[int(k)][part] > 250
    return mask

answer("boxes", method)
"""


class Evaluated:
    """A folder with a manifest: three scans of two patients in one data set, one scan in another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models_loaded = 0
        self.entries = [
            write_case(folder, "P1__a", "easy"),
            write_case(folder, "P1__b", "easy", shadow=120.0),
            write_case(folder, "P2", "easy", shadow=300.0),
            write_case(folder, "Q1", "other"),
            write_case(folder, "T1", "easy", split="train"),
        ]
        self.save()

    def save(self) -> None:
        (self.folder / "manifest.json").write_text(json.dumps(self.entries), encoding="utf-8")

    def load(self, source: str, device: str | None = None) -> StandIn:
        self.models_loaded += 1
        return StandIn()

    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, ["evaluate", "--data", str(self.folder / "manifest.json"), *arguments])

    def figures(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        done = self.run(*arguments, "--json", str(self.folder / "out.json"), "--overwrite")
        assert done.exit_code == exit_code, done.output
        return json.loads((self.folder / "out.json").read_text(encoding="utf-8"))


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluated:
    scans = Evaluated(tmp_path)
    monkeypatch.setattr(msam, "load_model", scans.load, raising=False)
    return scans


def test_the_json_has_the_form_that_others_rely_on(scans: Evaluated) -> None:
    told = scans.figures("--split", "val", "--clicks", "10", "--refine", "2")
    assert (told["model"], told["split"], told["clicks"]) == ("stand-in", "val", 10)
    assert list(told["datasets"]) == ["easy", "other"]
    easy, other = told["datasets"]["easy"], told["datasets"]["other"]
    assert (easy["cases"], easy["patients"], easy["targets"], easy["failed"]) == (3, 2, 6, 0)
    assert (other["cases"], other["patients"], other["targets"]) == (1, 1, 2)
    for metric in METRICS:
        assert list(easy[metric]) == list(easy["intervals"][metric]) == ["1", "3", "5", "10"]
        assert list(easy["refine"][metric]) == ["0", "1", "2"]
        for count, mean in easy[metric].items():
            low, high = easy["intervals"][metric][count]
            assert low - 1e-4 <= mean <= high + 1e-4
            assert other["intervals"][metric][count] is None, "one patient has no interval"
    assert len(easy["dice_per_click"]) == 10
    assert set(easy["by_target"]) == {"large ball", "small ball"}


def test_means_and_intervals_are_those_of_the_single_objects(scans: Evaluated) -> None:
    told = scans.figures("--datasets", "easy", "--clicks", "3", "--refine", "0", "--seed", "4")
    objects = told["targets"]
    assert len(objects) == 6
    for count in ("1", "3"):
        values = [entry["scores"][count]["dice"] for entry in objects]
        patients = [entry["case"].partition("__")[0] for entry in objects]
        easy = told["datasets"]["easy"]
        assert easy["dice"][count] == pytest.approx(np.mean(values), abs=1e-4)
        assert easy["intervals"]["dice"][count] == pytest.approx(bootstrap_interval(values, patients, 4), abs=2e-4)
        assert [entry["dice_per_click"][int(count) - 1] for entry in objects] == values
    assert "refine" not in told["datasets"]["easy"]


def test_clicks_follow_the_protocol(scans: Evaluated) -> None:
    told = scans.figures("--datasets", "easy", "--cases", "1", "--clicks", "2", "--refine", "0")
    by_object = {(entry["case"], entry["target"]): entry for entry in told["targets"]}
    simple = by_object["P1__a", "small ball"]
    assert simple["clicks"][0] == {"ijk": [*SMALL[0]], "positive": True}
    assert simple["dice_per_click"][-1] < 1, "the large ball is as bright as the small one"
    assert simple["clicks"][1] == {"ijk": [*LARGE[0]], "positive": False}


def test_an_object_without_an_error_is_done_and_keeps_its_score(scans: Evaluated) -> None:
    scans.entries = [entry for entry in scans.entries if entry["case"] == "Q1"]
    label = np.where(ball(*LARGE), 1, 0)
    write(scans.folder / "Q1.nii.gz", np.where(label, 400, 100).astype(np.int16))
    write(scans.folder / "Q1-label.nii.gz", label.astype(np.uint8))
    scans.save()
    told = scans.figures("--clicks", "4", "--refine", "2", "--baselines", "region-growing")
    (ready,) = told["targets"]
    assert len(ready["clicks"]) == 1
    assert ready["dice_per_click"] == [1.0] * 4
    assert ready["dice_per_refinement"] == [1.0] * 3
    assert ready["scores"]["4"] == {"dice": 1, "nsd_2mm": 1, "hd95_mm": 0, "volume_error": 0}
    assert len(ready["baselines"]["region-growing"]) == 3


def test_refining_feeds_the_mask_back_and_places_no_click(scans: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    found = StandIn.decode

    def decode(self: StandIn, encoded: Any, points: Any, labels: Any, mask_logits: Any = None) -> Any:
        logits, quality = found(self, encoded, points, labels)
        return (logits if mask_logits is None else logits - 2 * logits.max()), quality

    monkeypatch.setattr(StandIn, "decode", decode)
    told = scans.figures("--datasets", "other", "--clicks", "1", "--refine", "1")
    for entry in told["targets"]:
        assert len(entry["clicks"]) == 1
        assert entry["dice_per_refinement"][0] == entry["dice_per_click"][0]
        assert entry["dice_per_refinement"][1] == 0, "the stand-in takes back what it is fed"


def test_baselines_are_given_the_clicks_of_the_model(scans: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[tuple[Any, bool]]] = []

    def baseline(volume: Volume, clicks: Any) -> np.ndarray:
        given.append([(list(click.position), click.positive) for click in clicks])
        return np.zeros(volume.voxels.shape, bool)

    monkeypatch.setitem(registry.BASELINES, "region-growing", baseline)
    told = scans.figures("--datasets", "other", "--clicks", "3", "--refine", "0", "--baselines", "region-growing")
    expected = []
    for entry in told["targets"]:
        clicks = [(click["ijk"], click["positive"]) for click in entry["clicks"]]
        expected += [clicks[:1], clicks]
    assert given == expected
    compared = told["datasets"]["other"]["baselines"]["region-growing"]
    assert compared["dice"] == {"1": 0, "3": 0}
    assert compared["volume_error"] == {"1": 1, "3": 1}


def test_all_baselines_are_compared_in_one_run(scans: Evaluated) -> None:
    told = scans.figures("--cases", "1", "--clicks", "1", "--baselines", "region-growing, random-walker")
    easy = told["datasets"]["easy"]
    assert easy["cases"] == 1
    assert list(easy["baselines"]) == ["region-growing", "random-walker"]
    assert all(0 <= compared["dice"]["1"] <= 1 for compared in easy["baselines"].values())


def test_a_baseline_that_knows_more_than_the_clicks_is_marked(scans: Evaluated) -> None:
    script, folder = scans.folder / "boxes.py", scans.folder / "report"
    script.write_text(PROGRAM, encoding="utf-8")
    arguments = ("--program", f"boxed={sys.executable} {script}", "--baselines", "region-growing,random-walker")
    done = scans.run("--datasets", "other", "--clicks", "1", "--refine", "0", *arguments, "--report", str(folder))
    assert done.exit_code == 0, done.output
    for text in (done.stdout, (folder / "report.md").read_text(encoding="utf-8")):
        assert re.search(r"\| boxed \* \| 1\.000 \|", text)
        assert re.search(r"\| random-walker \* \| 0\.\d+ \|", text)
        assert re.search(r"\| region-growing \| 0\.\d+ \|", text)
        assert "\\* boxed is given no click but the box of the true object" in text
        assert "\\* random-walker has seeds of the background" in text


def test_what_failed_is_counted_and_shown_though_it_is_more_than_three(scans: Evaluated) -> None:
    scans.entries = [write_case(scans.folder, f"R{number}", "hard", shadow=300.0) for number in range(5)]
    scans.save()
    folder = scans.folder / "report"
    told = scans.figures("--clicks", "1", "--refine", "0", "--report", str(folder))
    failed = [entry for entry in told["targets"] if entry["dice_per_click"][-1] < 0.5]
    assert len(failed) == 5
    assert told["datasets"]["hard"]["below_half"] == 5
    assert "Below 0.5 after the last click: 5 of 10." in (folder / "report.md").read_text(encoding="utf-8")
    assert {path.stem for path in (folder / "worst").iterdir()} == {
        f"hard_{entry['case']}_{entry['target'].replace(' ', '-')}" for entry in failed
    }


def test_a_folder_of_scans_is_split_as_training_splits_it(scans: Evaluated, tmp_path: Path) -> None:
    folder = plain_pair(tmp_path / "mine")
    _, validation = find_cases(folder)
    done = CliRunner().invoke(app, ["evaluate", "--data", str(folder), "--clicks", "1", "--refine", "0"])
    assert done.exit_code == 0, done.output
    assert set(re.findall(r"mine (case\d)", done.stderr)) == {case.case for case in validation}
    (tmp_path / "manifest.json").replace(tmp_path / "mine" / "manifest.json")
    assert "no data set" in CliRunner().invoke(app, ["evaluate", "--data", str(folder), "--datasets", "mine"]).stderr
    refused = CliRunner().invoke(app, ["evaluate", "--data", str(plain_pair(tmp_path / "other")), "--split", "test"])
    assert refused.exit_code == 2
    assert "no split 'test'" in refused.stderr


def test_a_failing_scan_stops_no_other_and_is_reported(scans: Evaluated) -> None:
    (scans.folder / "P1__b.nii.gz").unlink()
    write(scans.folder / "P2.nii.gz", np.full(SHAPE_IJK[::-1], 7, np.int16))
    done = scans.run("--clicks", "1", "--refine", "0", "--json", str(scans.folder / "out.json"))
    assert done.exit_code == 1
    told = json.loads((scans.folder / "out.json").read_text(encoding="utf-8"))
    assert told["datasets"]["easy"]["cases"] == 1
    assert told["datasets"]["easy"]["failed"] == 3
    assert [(failure["case"], failure["what"]) for failure in told["failures"]] == [
        ("P1__b", "scan"),
        ("P2", "large ball"),
        ("P2", "small ball"),
    ]
    assert "same intensity" in told["failures"][1]["message"]
    assert "P1__b scan" in done.stderr


def test_a_failing_baseline_is_reported_and_stops_nothing(scans: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(volume: Volume, clicks: Any) -> np.ndarray:
        raise ZeroDivisionError

    monkeypatch.setitem(registry.BASELINES, "random-walker", broken)
    told = scans.figures("--datasets", "other", "--clicks", "1", "--baselines", "random-walker", exit_code=1)
    other = told["datasets"]["other"]
    assert other["targets"] == 2
    assert other["baselines"] == {}
    assert [failure["what"] for failure in told["failures"]] == [
        "large ball, random-walker",
        "small ball, random-walker",
    ]
    assert "ZeroDivisionError" in told["failures"][0]["message"]


def test_a_data_set_that_fails_altogether_is_still_listed(scans: Evaluated) -> None:
    (scans.folder / "Q1.nii.gz").unlink()
    told = scans.figures("--datasets", "other", "--clicks", "1", exit_code=1)
    assert told["datasets"]["other"]["cases"] == 0
    assert told["datasets"]["other"]["dice"] == {}


def test_progress_goes_to_stderr_and_the_table_to_stdout(scans: Evaluated) -> None:
    done = scans.run("--datasets", "other", "--clicks", "3", "--refine", "1", "--baselines", "region-growing")
    assert done.exit_code == 0, done.output
    assert re.search(r"1 of 1 .*large ball: Dice 0\.\d+ after 1 click", done.stderr)
    first, ruler, *rows = done.stdout.splitlines()
    assert first == "| data set | scans / objects / patients | method | 1 click | 3 clicks |"
    assert set(ruler) <= set("|- ")
    assert rows[0].startswith("| other | 1 / 2 / 1 | stand-in | ")
    assert "region-growing" in rows[1]
    assert "| data set | 1 click | refined 1 × |" in done.stdout


def test_the_report_shows_tables_the_plot_and_the_worst_objects(scans: Evaluated) -> None:
    folder = scans.folder / "report"
    told = scans.figures("--clicks", "1", "--refine", "1", "--baselines", "region-growing", "--report", str(folder))
    text = (folder / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert len(pictures) == 1 + 3 + 2, "the plot, three objects of one data set, both of the other"
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in (folder / "worst").iterdir()} == {Path(picture).name for picture in pictures[1:]}
    for title in ("## Dice", "Hausdorff", "Normalised surface distance", "Volume error", "refined without"):
        assert title in text
    finals = sorted(entry["dice_per_click"][-1] for entry in told["targets"] if entry["dataset"] == "easy")
    assert finals[0] < finals[3], "there is a choice to be made"
    assert re.findall(r": Dice ([0-9.]+)\n", text)[:3] == [f"{final:.2f}" for final in finals[:3]]


def test_a_report_that_is_there_is_kept_unless_asked_to_replace_it(scans: Evaluated) -> None:
    folder, arguments = scans.folder / "report", ("--datasets", "other", "--clicks", "1", "--refine", "0")
    assert scans.run(*arguments, "--report", str(folder)).exit_code == 0
    refused = scans.run(*arguments, "--report", str(folder))
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert scans.run(*arguments, "--report", str(folder), "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "test"], "no split 'test'"),
        (["--datasets", "easy,none"], "no data set 'none'"),
        (["--baselines", "magic"], "no baseline 'magic'"),
        (["--json", "nowhere/out.json"], "does not exist"),
        (["--data", "none.json"], "cannot be read"),
        (["--report", __file__], "cannot be made"),
    ],
)
def test_what_cannot_work_is_refused_before_the_model_is_loaded(
    scans: Evaluated, arguments: list[str], words: str
) -> None:
    refused = scans.run(*arguments)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert scans.models_loaded == 0
