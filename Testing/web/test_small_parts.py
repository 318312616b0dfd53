"""Parts of the page that need no browser."""

from __future__ import annotations

import re

import numpy as np
import pytest
import slicer
from hypothesis import given
from hypothesis import strategies as st

from msam.volume import Volume
from MSAMSegmentLib.measurement_table import SegmentMeasurements
from MSAMSegmentWeb import colours
from MSAMSegmentWeb.hints import Situation, hint
from MSAMSegmentWeb.numbers import measurement_rows
from MSAMSegmentWeb.pages import FOLDER
from MSAMSegmentWeb.scans import add_to_scene, main_file, name_of
from MSAMSegmentWeb.shortcuts import SHORTCUTS
from MSAMSegmentWeb.views import _scale
from MSAMSegmentWeb.windows import Windows


def test_no_key_has_two_meanings() -> None:
    keys = [key for shortcut in SHORTCUTS for key in shortcut.keys]
    assert len(set(keys)) == len(keys)


def test_every_key_does_what_the_page_can_do() -> None:
    from MSAMSegmentWeb.actions import Actions

    of_the_browser = re.search(r"ofTheBrowser = {([^}]*)}", (FOLDER / "page.js").read_text("utf-8"))
    assert of_the_browser is not None
    by_itself = re.findall(r"(\w+): \(\)", of_the_browser.group(1))
    assert by_itself
    for shortcut in SHORTCUTS:
        assert (shortcut.action in by_itself) != callable(getattr(Actions, shortcut.action, None)), shortcut


@given(st.booleans(), st.integers(0, 3), st.booleans(), st.booleans(), st.integers(0, 9))
def test_a_hint_has_both_title_and_text_and_never_disturbs(
    has_scan: bool, points: int, has_mask: bool, is_busy: bool, steps: int
) -> None:
    said = hint(Situation(has_scan, points, has_mask, is_busy, steps))
    assert bool(said["title"]) == bool(said["text"])
    if is_busy or not has_scan:
        assert not said["title"]


@pytest.mark.parametrize(
    ("sent", "name"),
    [("a.b.nii.gz", "a.b"), ("CHEST.NRRD", "CHEST"), ("series.zip", "series"), ("IM0001", "IM0001"), (".nii", "Scan")],
)
def test_a_scan_is_named_after_its_file(sent: str, name: str) -> None:
    assert name_of(sent) == name


def test_a_header_is_found_among_its_data(tmp_path: object) -> None:
    from pathlib import Path

    assert main_file([Path("a.raw"), Path("a.mhd")]) == Path("a.mhd")
    assert main_file([Path("1.dcm"), Path("2.dcm")]) is None
    assert main_file([Path("IM1")]) == Path("IM1")


@given(st.floats(0, 5000, allow_nan=False))
def test_the_scale_bar_is_round_and_fits(width: float) -> None:
    bar = _scale(width)
    assert 0 <= bar["percent"] <= 25.01
    if width >= 10:
        assert bar["percent"] > 3.9


def test_segments_get_different_colours_as_long_as_there_are_any() -> None:
    taken: list[str] = []
    for _ in range(3 * len(colours.PALETTE)):
        taken.append(colours.to_hex(colours.next_colour(taken)))
    assert taken[: len(colours.PALETTE)] == list(colours.PALETTE)
    assert len(set(taken)) == len(taken)
    assert colours.to_hex(colours.next_colour(taken)) == taken[0]
    assert colours.to_hex(colours.next_colour([*taken[:5], *taken[6:]])) == taken[5]


@pytest.mark.parametrize("dtype", [np.float16, np.bool_, np.int64, np.dtype(">i2"), np.uint32])
def test_voxels_of_every_type_come_into_the_scene(dtype: object) -> None:
    voxels = (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype)
    scene = slicer.vtkMRMLScene()
    node = add_to_scene(scene, Volume(voxels, np.diag([-1, -1, 2, 1])), "x")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), voxels)


def test_windows_suit_the_modality() -> None:
    scene = slicer.vtkMRMLScene()
    random = np.random.default_rng(0)
    for low, kind in ((-1000, "soft"), (0, "contrast")):
        volume = Volume(random.integers(low, 1000, (8, 8, 8)).astype(np.int16), np.eye(4))
        windows = Windows(volume, add_to_scene(scene, volume, "x"))
        automatic = (windows.window, windows.level)
        assert kind in {preset["key"] for preset in windows.presets}
        windows.use(kind)
        assert (windows.window, windows.level) != automatic
        windows.use("auto")
        assert (windows.window, windows.level) == pytest.approx(automatic)
        windows.set(-5, 1)
        assert windows.window > 0


def test_measurements_have_about_three_digits_that_count() -> None:
    measured = SegmentMeasurements("x", 9, 0.1234, 12.34, 11.18, 7.04, -6.31, 119.6, -90, 80, -5, "HU")
    rows = {row["name"]: f"{row['value']} {row['unit']}" for row in measurement_rows(measured)}
    assert rows == {
        "Volume": "0.12 mL",
        "Longest diameter": "12.3 mm",
        "Axial": "11.2 × 7.0 mm",
        "Intensity": "−6 ± 120 HU",
    }
