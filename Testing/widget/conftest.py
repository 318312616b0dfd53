"""The real panel, on a stand-in for Qt as Slicer shows it, on the real scene of slicer-core, with a stand-in engine."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import pytest

pytest.importorskip("PySide6", reason="needs PySide6-Essentials")
slicer = pytest.importorskip("slicer", reason="needs slicer-core")

import stand_in_qt
from booted import Booted
from opened_panel import Opened
from stand_in_slicer import MODULE, Application, Dialogs, put_application

SCENE_TESTS = Path(__file__).parents[1] / "scene" / "conftest.py"
OURS = ("MSAMSegment", "MSAMSegmentLib", "MSAMSegmentWidgets", "msam")


def _scene_fixtures() -> types.ModuleType:
    """The fixtures of the scene side's tests, which are needed here as well."""
    spec = importlib.util.spec_from_file_location("scene_conftest", SCENE_TESTS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_fixtures = _scene_fixtures()
booted, vtk_errors, scene = _fixtures.booted, _fixtures.vtk_errors, _fixtures.scene
add_volume, volumeNode, pictures = _fixtures.add_volume, _fixtures.volumeNode, _fixtures.pictures


@pytest.fixture
def application(
    scene: Any, booted: Booted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[tuple[Application, Dialogs]]:
    """What the panel needs of Slicer's application. An exception that nobody catches fails the test, wherever it is."""
    app, dialogs = put_application(tmp_path, monkeypatch, scene)
    monkeypatch.setattr(slicer.modules, "application", booted.application, raising=False)
    monkeypatch.syspath_prepend(str(MODULE.parent))
    # VTK and Qt hand what is raised in their callbacks to this.
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: stand_in_qt.failures.append(error))
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] in OURS}
    stand_in_qt.failures.clear()
    stand_in_qt.file_answer[0] = ""
    yield app, dialogs
    for name in [each for each in sys.modules if each.split(".")[0] in OURS]:
        del sys.modules[name]
    sys.modules.update(
        {name: module for name, module in before.items() if name.split(".")[0] in ("MSAMSegmentLib", "msam")}
    )
    logged = [
        record for when in ("setup", "call") for record in caplog.get_records(when) if record.levelno >= logging.ERROR
    ]
    assert not stand_in_qt.failures, f"an exception left a slot, a timer or an observer: {stand_in_qt.failures}"
    assert not logged, f"something failed and was only logged: {[record.getMessage() for record in logged]}"


@pytest.fixture
def opened(application: tuple[Application, Dialogs], monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """The module with its panel, opened in an empty scene."""
    monkeypatch.setattr(slicer.modules, "MSAMSegmentWidget", None, raising=False)
    made = Opened(*application)
    made.enter()
    made.wait()
    yield made
    made.widget.cleanup()
    made.widget.cleanup()  # Slicer may do so twice
    made.window.close()


@pytest.fixture
def clicked(opened: Opened, volumeNode: Any) -> Opened:
    """The panel with a scan and one answered click."""
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    opened.logic.addPoint((0.0, 0.0, 0.0))
    opened.settle()
    return opened
