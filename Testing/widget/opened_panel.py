"""The module, opened in a window, with the hands of a user."""

from __future__ import annotations

import importlib
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
import stand_in_qt
from PySide6 import QtGui, QtWidgets
from stand_in_engine import StandInTransport
from stand_in_slicer import Application, Dialogs
from stand_in_widgets import qSlicerScriptedLoadableModuleWidget

from MSAMSegmentLib.interpreters import Candidate, ProbeResult

WIDTH, HEIGHT = 380, 700
CENTRE = (0.0, 0.0, 0.0)


class Opened:
    """The module, opened in a window.

    Attributes:
        widget: the module's widget class, set up.
        ui: its widgets by their names.
        transport: the stand-in engine; time passes in `wait`.
        dialogs: what was asked and said.
        interpreter: the Python that has what the engine needs; None for none.
        probes: what those that were asked had.
    """

    def __init__(self, app: Application, dialogs: Dialogs) -> None:
        self.app, self.dialogs = app, dialogs
        self.interpreter: Candidate | None = Candidate("python", False, "this Python")
        self.probes: list[ProbeResult] = []
        self.module = importlib.import_module("MSAMSegment")
        self.prepare(self.module)
        app.onReloaded = self.prepare
        self.window = qSlicerScriptedLoadableModuleWidget()
        QtWidgets.QVBoxLayout(self.window).setContentsMargins(0, 0, 0, 0)
        self.window.resize(WIDTH, HEIGHT)
        slicer.modules.MSAMSegmentWidget = self.module.MSAMSegmentWidget(stand_in_qt.wrapped(self.window))
        self.widget.setup()
        self.window.show()

    def prepare(self, module: types.ModuleType) -> None:
        """Puts the stand-in engine into the module's source, which has just been read."""
        self.transport = StandInTransport()
        module.QtTransport = lambda: self.transport
        importlib.import_module("MSAMSegmentWidgets.engine_choice").findInterpreter = self.find

    @property
    def widget(self) -> Any:
        """The widget class that is in use."""
        return slicer.modules.MSAMSegmentWidget

    @property
    def ui(self) -> Any:
        return self.widget.ui

    @property
    def logic(self) -> Any:
        return self.widget.logic

    def enter(self) -> None:
        """The user opens the module."""
        self.window.setProperty("isEntered", True)
        self.widget.enter()

    def exit(self) -> None:
        """The user goes to another module."""
        self.window.setProperty("isEntered", False)
        self.widget.exit()

    def find(self, transport: Any, chosen: str | None, onDone: Callable[..., None]) -> Any:
        """Finds the interpreter that the test says is there."""
        self.chosen = chosen
        return transport.callLater(0.1, lambda: onDone(self.interpreter, self.probes))

    def wait(self, until: Callable[[], bool] | None = None) -> None:
        """Lets time pass, for the engine and for Qt, until the logic is idle or something else holds."""
        done = until or (lambda: not self.logic.isBusy and not self.widget.panel.choice.isLooking)
        for _ in range(800):
            self.transport.pump(5)
            time.sleep(0.002)  # Qt's own timers count real time
            QtWidgets.QApplication.processEvents()
            if done():
                return
        raise AssertionError("that did not happen")

    def settle(self) -> None:
        """Waits until the numbers of the result are there, too."""
        self.wait()
        self.pass_time(0.3)

    def pass_time(self, seconds: float) -> None:
        """Lets real time pass, and as many turns of the event loop as it has when nothing else keeps it busy."""
        end, turns = time.monotonic() + seconds, round(seconds / 0.005)
        while time.monotonic() < end or turns > 0:
            turns -= 1
            self.transport.pump()
            time.sleep(0.005)
            QtWidgets.QApplication.processEvents()
        # On a busy computer all of that time may have passed in one of these sleeps.
        QtWidgets.QApplication.processEvents()

    def click(self, name: str) -> None:
        """Presses a button as a user does, who first unfolds the section that it is in."""
        button = getattr(self.ui, name).raw
        parent = button.parent()
        while parent is not None:
            if type(parent).__name__ == "ctkCollapsibleButton":
                parent.setChecked(True)
            parent = parent.parent()
        QtWidgets.QApplication.processEvents()
        assert button.isVisibleTo(self.window), f"{name} is hidden"
        assert button.isEnabled(), f"{name} is disabled: {button.toolTip()}"
        button.click()
        QtWidgets.QApplication.processEvents()

    def choose(self, name: str, row: int) -> None:
        """Chooses a row of a combo box as a user does."""
        combo = getattr(self.ui, name).raw
        assert combo.isEnabled(), f"{name} is disabled: {combo.toolTip()}"
        combo.setCurrentIndex(row)
        combo.activated.emit(row)
        QtWidgets.QApplication.processEvents()

    def type(self, name: str, text: str) -> None:
        """Types into a field and leaves it."""
        field = getattr(self.ui, name).raw
        field.setText(text)
        field.editingFinished.emit()
        QtWidgets.QApplication.processEvents()

    def press(self, key: str) -> None:
        """Presses a key of the module; Qt would tell its shortcuts."""
        for shortcut in self.shortcuts:
            if shortcut.key().matches(QtGui.QKeySequence(key)) is QtGui.QKeySequence.SequenceMatch.ExactMatch:
                shortcut.activated.emit()

    @property
    def shortcuts(self) -> list[QtGui.QShortcut]:
        """The keys that work at the moment."""
        return [each for each in self.app.mainWindow.findChildren(QtGui.QShortcut) if each.isEnabled()]

    @property
    def status(self) -> str:
        """The line of words."""
        return self.ui.statusLabel.text

    def answer_file(self, path: Path | str) -> None:
        """What the user chooses in the next file dialogs."""
        stand_in_qt.file_answer[0] = str(path)

    def is_shown(self, name: str) -> bool:
        """Whether a widget can be seen, folded sections apart."""
        return getattr(self.ui, name).raw.isVisibleTo(self.window)

    def picture(self, path: Path) -> None:
        """Writes a picture of the panel."""
        QtWidgets.QApplication.processEvents()
        self.window.grab().save(str(path))
