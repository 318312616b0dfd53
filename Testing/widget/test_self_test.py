"""The test that the module brings along for Slicer itself goes its whole way here, too."""

from __future__ import annotations

import importlib
import sys
import unittest
from pathlib import Path
from typing import Any

import pytest
import slicer
from opened_panel import Opened
from stand_in_slicer import Application, Dialogs

from MSAMSegmentLib.interpreters import Candidate, ProbeResult


class SceneFiles:
    """Saving and loading a scene in one file, with what slicer-core has of it."""

    def __init__(self, scene: Any, folder: Path) -> None:
        self.scene, self.folder = scene, folder

    def save(self, path: str) -> bool:
        for node in (
            *slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"),
            *slicer.util.getNodesByClass("vtkMRMLSegmentationNode"),
        ):
            node.AddDefaultStorageNode()
        return bool(self.scene.WriteToMRB(path))

    def load(self, path: str) -> bool:
        return bool(self.scene.ReadFromMRB(path, False))


@pytest.mark.parametrize("isOpen", [False, True])
def test_the_self_test_goes_from_click_to_file(
    opened: Opened, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isOpen: bool
) -> None:
    files = SceneFiles(scene, tmp_path)
    monkeypatch.setattr(slicer.util, "saveScene", files.save)
    monkeypatch.setattr(slicer.util, "loadScene", files.load)
    monkeypatch.setattr(opened.module, "findInterpreter", opened.find)
    if not isOpen:  # "Reload and Test" leaves the panel open
        opened.exit()
        opened.widget.cleanup()
    opened.prepare(opened.module)
    opened.module.MSAMSegmentTest().runTest()
    assert len(opened.transport.processes) == 1


def test_the_self_test_goes_from_click_to_file_with_the_real_engine(
    application: tuple[Application, Dialogs], scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundled model in a process of its own, over Qt's network: what Slicer does when it runs the self-test."""
    pytest.importorskip("torch", reason="needs the engine's packages")
    pytest.importorskip("PySide6.QtNetwork", reason="needs PySide6")
    manners = importlib.import_module("qt_manners").module()
    for name in ("QNetworkAccessManager", "QNetworkRequest", "QProcess", "QSslConfiguration"):
        monkeypatch.setattr(sys.modules["qt"], name, getattr(manners, name), raising=False)
    files = SceneFiles(scene, tmp_path)
    monkeypatch.setattr(slicer.util, "saveScene", files.save)
    monkeypatch.setattr(slicer.util, "loadScene", files.load)
    module = importlib.import_module("MSAMSegment")
    said: list[str] = []
    monkeypatch.setattr(module.MSAMSegmentTest, "delayDisplay", lambda self, message: said.append(message))
    module.MSAMSegmentTest().runTest()
    assert said[-1] == "Test passed"


def test_without_the_engine_that_the_environment_names_the_self_test_fails(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSAM_PYTHON", "/opt/named/bin/python")
    monkeypatch.setattr(opened.module, "findInterpreter", opened.find)
    opened.interpreter = None
    opened.probes = [ProbeResult(Candidate("python", False, "the Python that MSAM_PYTHON names"), "3.12.10")]
    monkeypatch.setattr(opened.module.MSAMSegmentTest, "delayDisplay", lambda self, message: None)
    with pytest.raises(AssertionError, match=r"The Python that MSAM_PYTHON names lacks"):
        opened.module.MSAMSegmentTest().runTest()


def test_without_an_engine_the_self_test_is_left_out(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MSAM_PYTHON", raising=False)
    monkeypatch.setattr(opened.module, "findInterpreter", opened.find)
    opened.interpreter = None
    opened.probes = [ProbeResult(Candidate("PythonSlicer", True, "the Python of 3D Slicer"), "3.12.10")]
    said: list[str] = []
    monkeypatch.setattr(opened.module.MSAMSegmentTest, "delayDisplay", lambda self, message: said.append(message))
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(opened.module.MSAMSegmentTest)(result)
    assert (len(result.skipped), result.errors, result.failures) == (1, [], [])
    opened.prepare(opened.module)
    monkeypatch.setattr(opened.module, "findInterpreter", opened.find)
    opened.module.MSAMSegmentTest().runTest()  # as Slicer's list of self-tests has it
    assert "No Python that this Slicer knows can run the engine. The Python of 3D Slicer lacks" in said[-1]
