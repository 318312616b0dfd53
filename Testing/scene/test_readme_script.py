"""The ten lines for Slicer's Python console are in the README, and do what it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from stand_in_engine import StandInTransport

from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.sample_phantom import ijkToRas

README = Path(__file__).parents[2] / "README.md"
RADIUS = 8.0  # of the ball that the stand-in engine draws, in mm


def script() -> str:
    """The one block of Python in the README that is for Slicer's console."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found = [block for block in blocks if "getModuleLogic" in block]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def transport(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandInTransport:
    """The engine of a module that has been opened, in an application whose user's home is the test's folder."""
    transport = StandInTransport(RADIUS)
    logic = MSAMSegmentLogic(transport)
    logic.show3D(False)
    modules = {"MSAMSegment": logic}
    monkeypatch.setattr(slicer, "util", SimpleNamespace(getModuleLogic=modules.__getitem__))
    monkeypatch.setattr(shutil, "which", lambda name: f"/slicer/bin/{name}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    yield transport
    logic.close()


def test_it_is_ten_lines() -> None:
    assert len([line for line in script().splitlines() if line.strip()]) == 10


def test_it_segments_and_exports_a_lesion(
    transport: StandInTransport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(script(), str(README), "exec"), {"slicer": slicer})

    assert [command[0] for command in transport.commands] == ["/slicer/bin/PythonSlicer"]
    # The first request tells the engine of a scan that it does not know yet, and is sent again with it.
    assert [header.iterations for header in transport.requests] == [0, 0, 1, 1], "a click and two refinements"
    image = sitk.ReadImage(str(tmp_path / "lesion.nii.gz"))
    mask = sitk.GetArrayFromImage(image)
    clicked = np.array([float(each) for each in re.search(r"addPoint\(\((.*?)\)", script())[1].split(",")])
    middle = (ijkToRas() @ [*np.argwhere(mask).mean(axis=0)[::-1], 1])[:3]
    assert np.abs(middle - clicked).max() <= image.GetSpacing()[0] / 2
    assert f"voxels={mask.sum()}" in capsys.readouterr().out


@pytest.mark.parametrize("found", ["/slicer/bin/PythonSlicer", None])
def test_it_says_what_went_wrong(
    transport: StandInTransport,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    found: str | None,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: found)
    transport.noInterpreter = True
    with pytest.raises(Exception, match="nothing to export"):
        exec(compile(script(), str(README), "exec"), {"slicer": slicer})
    assert [command[0] for command in transport.commands] == [found or "PythonSlicer"]
    assert "there is no such file" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.nii.gz"))
