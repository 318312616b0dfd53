"""Fixtures of the scene side: real Slicer libraries, without the application."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core")

import vtk
from booted import Booted
from step_bench import Bench
from volume_nodes import volume_from

AddVolume = Callable[..., "slicer.vtkMRMLScalarVolumeNode"]


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Slicer's libraries, brought up once."""
    slicer_libraries = Booted(tmp_path_factory.mktemp("cache"))
    yield slicer_libraries
    slicer_libraries.close()


@pytest.fixture(autouse=True)
def uncaught(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was raised where nobody could catch it: VTK passes on what its observers raise, and goes on."""
    raised: list[str] = []
    monkeypatch.setattr(
        sys, "excepthook", lambda kind, error, trace: raised.extend(traceback.format_exception(kind, error, trace))
    )
    yield raised
    assert not raised, "an observer raised:\n" + "".join(raised)


@pytest.fixture(autouse=True)
def vtk_errors() -> Iterator[list[str]]:
    """What VTK complains about; a test that leaves something in this list fails."""
    window, said = vtk.vtkOutputWindow.GetInstance(), []
    window.SetDisplayModeToNever()

    @vtk.calldata_type(vtk.VTK_STRING)
    def note(_caller: object, _event: str, text: str) -> None:
        said.append(text)

    tag = window.AddObserver("ErrorEvent", note)
    yield said
    window.RemoveObserver(tag)
    assert not said, "VTK reported errors:\n" + "\n".join(said)


@pytest.fixture
def scene(booted: Booted, vtk_errors: list[str]) -> Iterator[slicer.vtkMRMLScene]:
    """An empty scene, which is `slicer.mrmlScene` too. Errors of VTK fail the test."""
    booted.scene.Clear(0)
    slicer.mrmlScene = booted.scene
    yield booted.scene
    booted.scene.Clear(0)


@pytest.fixture
def add_volume(scene: slicer.vtkMRMLScene) -> AddVolume:
    """Adds a volume node of an array [k, j, i] to the scene: `add_volume(voxels, ijk_to_ras=None, name="Scan")`."""
    return lambda voxels, ijk_to_ras=None, name="Scan": volume_from(scene, voxels, ijk_to_ras, name)


@pytest.fixture
def volumeNode(add_volume: AddVolume) -> slicer.vtkMRMLScalarVolumeNode:
    """A scan of 60 × 50 × 40 voxels of 1 × 1 × 2 mm with noise and a bright ball of 8 mm at voxel (30, 25, 20)."""
    random = np.random.default_rng(0)
    k, j, i = np.indices((40, 50, 60))
    distance = np.sqrt((i - 30) ** 2 + (j - 25) ** 2 + (2 * (k - 20)) ** 2)
    voxels = random.normal(0, 20, (40, 50, 60)) + np.where(distance < 8, 300, 0)
    return add_volume(voxels.astype(np.int16), [[-1, 0, 0, 30], [0, -1, 0, 25], [0, 0, 2, -40], [0, 0, 0, 1]])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where a test leaves its pictures: the folder that MSAM_TEST_PICTURES names, else one that goes away."""
    folder = Path(os.environ.get("MSAM_TEST_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def remote() -> Bench:
    return Bench(isRemote=True)
