"""Baselines in programs of their own: what they are told, what they answer, and how they may fail."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from msam.clicks import Click
from msam.errors import MsamError
from msam.evaluation.baselines.program import BOXES_NOTE, Program, boxes, running
from msam.volume import Volume

ROOT = Path(__file__).parents[2]
VOLUME = Volume(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6), np.diag([1.0, 2.0, 3.0, 1.0]), "CT")
TRUTH = np.zeros((4, 5, 6), bool)
TRUTH[1:3, 2:4, 1:5] = True
CLICKS = [Click((1, 2, 3)), Click((4, 0, 1), positive=False)]

METHOD = """
import json, sys
sys.path.insert(0, {root!r})
import numpy as np
from Testing.benchmarks.answering import answer

def method(voxels, request):
    print("what libraries print is no answer")
    assert request["is_ct"] and request["spacing"] == [1.0, 2.0, 3.0]
    mask = np.zeros(voxels.shape, np.uint8)
    {body}
    return mask

answer({wants!r}, method, {note!r})
"""


def command(folder: Path, wants: str, body: str, note: str = "") -> str:
    script = folder / f"{wants}.py"
    script.write_text(METHOD.format(root=str(ROOT), wants=wants, body=body, note=note), encoding="utf-8")
    return f"mine={sys.executable} {script}"


def test_clicks_are_all_that_a_clicking_program_is_told(tmp_path: Path) -> None:
    body = "assert 'boxes' not in request; i, j, k = request['clicks'][-1]['ijk']; mask[k, j, i] = 1"
    with running([command(tmp_path, "clicks", body)]) as programs:
        method = programs["mine"].on(TRUTH)
        for count in (1, 2):
            mask = method(VOLUME, CLICKS[:count])
            assert np.argwhere(mask).tolist() == [list(CLICKS[count - 1].position)[::-1]]
            assert mask.dtype == bool


def test_boxes_of_every_slice_are_told_once(tmp_path: Path) -> None:
    body = "mask[[int(k) for k in request['boxes']]] = 1; assert 'clicks' not in request"
    with running([command(tmp_path, "boxes", body)]) as programs:
        method = programs["mine"].on(TRUTH)
        first = method(VOLUME, CLICKS[:1])
        assert np.array_equal(first.any(axis=(1, 2)), TRUTH.any(axis=(1, 2)))
        assert method(VOLUME, CLICKS) is first
    assert boxes(TRUTH) == {"1": [1, 2, 4, 3], "2": [1, 2, 4, 3]}


def test_who_knows_more_than_clicks_has_a_note(tmp_path: Path) -> None:
    with running([command(tmp_path, "clicks", "pass")]) as programs:
        assert programs["mine"].note == ""
    with running([command(tmp_path, "clicks", "pass", "knows where the background is")]) as programs:
        assert programs["mine"].note == "knows where the background is"
    with running([command(tmp_path, "boxes", "pass")]) as programs:
        assert programs["mine"].note == BOXES_NOTE


def test_a_method_that_fails_is_quoted_and_asked_again(tmp_path: Path) -> None:
    body = "assert len(request['clicks']) > 1, 'one click is not enough'"
    with running([command(tmp_path, "clicks", body)]) as programs:
        method = programs["mine"].on(TRUTH)
        with pytest.raises(MsamError, match="one click is not enough"):
            method(VOLUME, CLICKS[:1])
        assert not method(VOLUME, CLICKS).any()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("no command", "write NAME=COMMAND"),
        ("mine=/no/such/program", "cannot be started"),
        (f"mine={sys.executable} -c pass", "has ended by itself"),
        (f"mine={sys.executable} -c print(7)", "something else than JSON"),
        (f"mine={sys.executable} -c 'print(\"{{}}\")'", "clicks or boxes"),
    ],
)
def test_what_is_no_program_is_refused(program: str, words: str) -> None:
    with pytest.raises(MsamError, match=words), running([program]):
        pass


def test_a_program_that_ends_early_is_an_error_not_a_wait(tmp_path: Path) -> None:
    with running([command(tmp_path, "clicks", "sys.stdout.flush(); import os; os._exit(3)")]) as programs:
        method = programs["mine"].on(TRUTH)
        with pytest.raises(MsamError, match="has ended by itself"):
            method(VOLUME, CLICKS)
        with pytest.raises(MsamError, match="has ended by itself"):
            method(VOLUME, CLICKS)


def test_programs_end_with_the_block(tmp_path: Path) -> None:
    with running([command(tmp_path, "clicks", "pass")]) as programs:
        program: Program = programs["mine"]
    assert program._process.poll() is not None


def test_grow_from_seeds_finds_a_ball_from_one_click() -> None:
    pytest.importorskip("slicer", reason="needs slicer-core")
    from Testing.benchmarks.grow_from_seeds import grow_from_seeds

    k, j, i = np.indices((40, 44, 50))
    ball = (k - 20) ** 2 + (j - 22) ** 2 + (i - 20) ** 2 < 100
    voxels = np.where(ball, 200, 100).astype(np.int16)
    request = {"spacing": [1.0, 1.0, 1.0], "clicks": [{"ijk": [20, 22, 20], "positive": True}]}
    mask = grow_from_seeds(voxels, request)
    assert 2 * (mask & ball).sum() / (mask.sum() + ball.sum()) > 0.9
    request["clicks"].append({"ijk": [27, 22, 20], "positive": False})
    assert not grow_from_seeds(voxels, request)[20, 22, 27]


def test_litemedsam_takes_the_window_that_shows_what_is_in_the_boxes() -> None:
    from Testing.benchmarks.litemedsam import ABDOMEN, LUNG, _ct_window

    lung = np.full((3, 20, 20), -850, np.int16)
    for intensity, window in ((30, ABDOMEN), (-400, LUNG)):
        voxels = lung.copy()
        voxels[1, 5:10, 5:10] = intensity
        assert _ct_window(voxels, {"1": [4, 4, 9, 9]}) == window


def test_litemedsams_masks_are_kept_for_the_same_scan_and_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from Testing.benchmarks import litemedsam

    asked = []

    def segment(self: object, grey: np.ndarray, box: list[int]) -> np.ndarray:
        asked.append(box)
        return grey > 100

    monkeypatch.setattr(litemedsam, "load", lambda: None)
    monkeypatch.setattr(litemedsam.LiteMedSAM, "_slice", segment)
    request = {"is_ct": False, "boxes": boxes(TRUTH)}
    first = litemedsam.LiteMedSAM(tmp_path / "masks")(VOLUME.voxels, request)
    assert len(asked) == 2
    again = litemedsam.LiteMedSAM(tmp_path / "masks")
    assert np.array_equal(again(VOLUME.voxels, request), first) and len(asked) == 2
    again(VOLUME.voxels, {**request, "boxes": {"1": [1, 2, 4, 3]}})
    again(VOLUME.voxels + 1, request)
    assert len(asked) == 5
