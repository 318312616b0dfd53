"""The engine on this computer in the panel: found, installed, started, stopped, and its models."""

from __future__ import annotations

import types
from typing import Any

import pytest
from opened_panel import CENTRE, Opened
from PySide6 import QtWidgets

from msam.errors import Cancelled, MsamError
from msam.protocol.events import Failed, Progress, encode_event
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.interpreters import Candidate, ProbeResult

SLICER = Candidate("PythonSlicer", True, "the Python of 3D Slicer")


def words(opened: Opened) -> str:
    """What the section says of the engine."""
    return opened.ui.engineStateLabel.text


def lose_the_engine(opened: Opened) -> None:
    """From now on no Python has what the engine needs."""
    opened.interpreter, opened.probes = None, [ProbeResult(SLICER, "3.12.10", {})]
    opened.widget.panel.choice.take()
    opened.wait()


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> types.SimpleNamespace:
    """What installs, without anything that is installed; the test lets it end."""
    import MSAMSegmentWidgets.engine_choice as engine_choice

    said = types.SimpleNamespace(starts=0, cancelled=False, question="Install 281 MB?", end=lambda error=None: None)

    class Installer:
        def __init__(self, transport: Any, python: str, plan: Any, ask: Any, onProgress: Any, onEnd: Any) -> None:
            assert python == SLICER.python
            self.ask, self.onProgress, self.onEnd = ask, onProgress, onEnd

        def start(self) -> None:
            said.starts += 1
            if not self.ask(said.question):
                raise Cancelled("Nothing was installed.")
            said.end = self.end
            opened.transport.callLater(0, lambda: self.onProgress(0.5, "Installing PyTorch (about 200 MB)"))

        def cancel(self) -> None:
            said.cancelled = True

        def end(self, error: MsamError | None = None) -> None:
            opened.interpreter = SLICER if error is None else None
            self.onEnd(error)

    monkeypatch.setattr(engine_choice, "Installer", Installer)
    return said


def test_the_engine_is_started_when_the_module_is_opened(opened: Opened) -> None:
    opened.wait(lambda: opened.logic.engine.state == "ready")
    assert len(opened.transport.processes) == 1
    assert "stand-in" in words(opened)
    assert not opened.dialogs.questions


def test_a_click_before_the_engine_was_found_is_answered_when_it_is(opened: Opened, volumeNode: Any) -> None:
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    opened.logic.engine.close()
    opened.logic.engine.useThisComputer("nothing")
    opened.transport.noInterpreter = True
    opened.widget.panel.choice.take()
    opened.logic.addPoint(CENTRE)
    opened.transport.pump(3)
    assert opened.status == "The engine is being looked for; the points are sent when it is found."
    assert not opened.is_shown("retryButton")
    opened.transport.noInterpreter = False
    opened.settle()
    assert opened.logic.lastError == ""
    assert "mL" in opened.ui.volumeValue.text


def test_a_missing_engine_is_installed_after_a_yes(opened: Opened, installer: Any, volumeNode: Any) -> None:
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    lose_the_engine(opened)
    assert opened.is_shown("setUpButton")
    assert opened.status == "The engine that computes the masks is not installed yet."
    assert not opened.ui.testEngineButton.enabled
    opened.dialogs.answer = False
    opened.click("setUpButton")
    assert opened.dialogs.questions == [installer.question]
    assert opened.status == "Nothing was installed."
    assert opened.is_shown("setUpButton")
    opened.dialogs.answer = True
    opened.click("setUpButton")
    installer.end()
    opened.wait()
    assert not opened.is_shown("setUpButton")
    opened.logic.addPoint(CENTRE)
    opened.settle()
    assert opened.logic.lastError == ""


def test_set_up_cannot_be_pressed_twice_and_can_be_cancelled(opened: Opened, installer: Any) -> None:
    lose_the_engine(opened)
    opened.click("setUpButton")
    opened.transport.pump()
    assert not opened.is_shown("setUpButton")
    assert not opened.ui.installButton.enabled
    opened.widget.panel.choice.setUp()
    assert installer.starts == 1
    assert opened.status == "Installing PyTorch (about 200 MB)"
    assert opened.ui.progressBar.value == 50
    assert not installer.cancelled
    opened.click("cancelButton")
    assert installer.cancelled
    installer.end(Cancelled("The installation was cancelled."))
    assert opened.status == "The installation was cancelled."
    assert not opened.is_shown("progressBar")
    assert opened.is_shown("setUpButton")
    opened.click("setUpButton")
    assert installer.starts == 2


def test_the_panel_goes_on_while_something_is_installed(opened: Opened, installer: Any, volumeNode: Any) -> None:
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    lose_the_engine(opened)
    opened.click("setUpButton")
    opened.transport.pump()
    opened.exit()
    opened.enter()
    assert opened.status == "Installing PyTorch (about 200 MB)"
    installer.end()
    opened.wait()
    assert not opened.is_shown("progressBar")
    assert not opened.is_shown("setUpButton")


def test_an_installation_that_fails_says_why_and_can_be_tried_again(opened: Opened, installer: Any) -> None:
    lose_the_engine(opened)
    opened.click("setUpButton")
    installer.end(SceneError("safetensors could not be installed: the disk is full."))
    assert opened.status == "safetensors could not be installed: the disk is full."
    assert opened.is_shown("setUpButton")
    assert opened.ui.setUpButton.enabled


def test_the_panel_may_be_closed_while_something_is_installed(opened: Opened, installer: Any) -> None:
    lose_the_engine(opened)
    opened.click("setUpButton")
    opened.widget.cleanup()
    assert installer.cancelled
    installer.end(Cancelled("The installation was cancelled."))


def test_without_slicers_own_python_the_user_is_told_what_to_do(opened: Opened) -> None:
    opened.interpreter, opened.probes = None, []
    opened.widget.panel.choice.take()
    opened.wait()
    opened.click("setUpButton")
    assert opened.status == "Slicer's own Python was not found. Choose an interpreter in the section Engine."


def test_an_interpreter_of_the_users_own(opened: Opened) -> None:
    opened.type("pythonEdit", "/opt/mine/bin/python")
    opened.wait()
    assert opened.chosen == "/opt/mine/bin/python"
    opened.answer_file("/opt/other/bin/python")
    opened.click("browsePythonButton")
    opened.wait()
    assert opened.chosen == opened.ui.pythonEdit.text == "/opt/other/bin/python"
    opened.answer_file("")
    opened.click("browsePythonButton")
    assert opened.ui.pythonEdit.text == "/opt/other/bin/python"


def test_another_interpreter_counts_even_while_one_is_looked_for(opened: Opened) -> None:
    opened.type("pythonEdit", "/first/python")
    opened.type("pythonEdit", "/second/python")
    opened.wait()
    assert opened.chosen == "/second/python"


def test_the_engine_is_stopped_and_started(opened: Opened) -> None:
    opened.wait(lambda: opened.logic.engine.state == "ready")
    assert opened.ui.startEngineButton.text == "Stop"
    opened.click("startEngineButton")
    opened.wait(lambda: opened.logic.engine.state == "stopped")
    assert opened.ui.startEngineButton.text == "Start"
    opened.click("startEngineButton")
    opened.wait(lambda: opened.logic.engine.state == "ready")


def test_another_device_starts_the_engine_anew(opened: Opened) -> None:
    opened.choose("deviceComboBox", 1)
    opened.wait(lambda: len(opened.transport.processes) == 2)
    assert "cpu" in opened.transport.commands[-1]
    assert opened.widget.panel.choice.settings.device == "cpu"


def test_nothing_is_asked_of_an_engine_that_is_nowhere(opened: Opened) -> None:
    choice = opened.widget.panel.choice
    choice.settings.place = "host"
    choice.interpreter = None
    choice.take()
    for name in ("downloadButton", "startEngineButton", "testEngineButton"):
        assert not getattr(opened.ui, name).enabled
        assert getattr(opened.ui, name).toolTip == "There is no engine yet. Set it up first."


def test_the_log_is_shown(opened: Opened) -> None:
    opened.click("logButton")
    dialog = opened.app.mainWindow.findChild(QtWidgets.QDialog)
    assert dialog.isVisible()
    assert "nothing yet" in dialog.findChild(QtWidgets.QPlainTextEdit).toPlainText()
    dialog.close()
    QtWidgets.QApplication.sendPostedEvents(None, 52)  # the deletion that was put off
    assert opened.app.mainWindow.findChild(QtWidgets.QDialog) is None


def test_a_model_is_downloaded_after_a_yes(opened: Opened) -> None:
    opened.wait(lambda: opened.logic.engine.state == "ready")
    opened.dialogs.answer = False
    opened.click("downloadButton")
    assert "402 MB" in opened.dialogs.questions[0]
    assert "Apache-2.0" in opened.dialogs.questions[0]
    assert len(opened.transport.processes) == 1
    opened.dialogs.answer = True
    opened.click("downloadButton")
    child = opened.transport.processes[-1]
    assert opened.transport.commands[-1][-2:] == ["msam.checkpoints.fetch", "sam-med3d-turbo"]
    child.say(encode_event(Progress(0.25, "Downloading sam-med3d-turbo")))
    assert opened.status == "Downloading sam-med3d-turbo (25%)"
    assert opened.ui.progressBar.value == 25
    opened.click("downloadButton")
    assert opened.status == "A model is being downloaded already."
    child.say(encode_event(Failed("The disk is full.")))
    child.end(1)
    assert opened.status == "The disk is full."
    opened.click("downloadButton")
    opened.transport.processes[-1].end(0)
    assert opened.status == "The model is installed. Choose it in the list of models."
    assert not opened.is_shown("progressBar")
    opened.click("downloadButton")
    opened.click("cancelButton")
    opened.transport.pump(3)
    assert opened.status == "The download was stopped; it goes on from there the next time."
