"""The engine: where it runs, with which model, on which device, and how it is."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from msam.checkpoints.catalogue import list_models
from MSAMSegmentLib import LogicEvent
from MSAMSegmentWidgets.engine_choice import BUNDLED_MODEL, EngineChoice
from MSAMSegmentWidgets.model_download import ModelDownload
from MSAMSegmentWidgets.section import Section, allow

DEVICES = ("", "cpu", "cuda", "mps")
HERE, THERE = 0, 1


class EngineSection(Section):
    """The folded section Engine."""

    choice: EngineChoice

    def begin(self, choice: EngineChoice) -> None:
        """Takes over what the user chose before."""
        ui, settings = self.ui, choice.settings
        self.choice = choice
        self._answer, self._answeredIn = "", ""
        self._download = ModelDownload(choice, self._sayer, self._fillModels)
        ui.placeComboBox.addItem(_("this computer"))
        ui.placeComboBox.addItem(_("another computer"))
        ui.placeComboBox.setCurrentIndex(THERE if settings.isRemote else HERE)
        for words in (_("automatic"), _("processor"), _("graphics card (CUDA)"), _("graphics card (Apple)")):
            ui.deviceComboBox.addItem(words)
        ui.deviceComboBox.setCurrentIndex(DEVICES.index(settings.device) if settings.device in DEVICES else 0)
        ui.pythonEdit.text = settings.python
        ui.addressEdit.text, ui.keyEdit.text = settings.address, settings.key
        ui.certificatesEdit.text = settings.certificates
        self._fillModels()
        ui.placeComboBox.connect("activated(int)", self._onPlace)
        ui.modelComboBox.connect("activated(int)", lambda row: choice.useModel(self._models[row]))
        ui.deviceComboBox.connect("activated(int)", lambda row: choice.useDevice(DEVICES[row]))
        ui.pythonEdit.connect("editingFinished()", self._onPython)
        self.onClick(ui.browsePythonButton, self._browsePython)
        self.onClick(ui.installButton, choice.setUp)
        self.onClick(ui.setUpButton, choice.setUp)
        self.onClick(ui.applyHostButton, self._applyHost)
        self.onClick(ui.startEngineButton, self._startOrStop)
        self.onClick(ui.testEngineButton, self._test)
        self.onClick(ui.logButton, self._showLog)
        self.onClick(ui.downloadButton, self._download.offer)
        self.show(None)

    def show(self, event: LogicEvent | None) -> None:
        if event not in (None, LogicEvent.ENGINE) or not hasattr(self, "choice"):
            return
        ui, engine, choice = self.ui, self.logic.engine, self.choice
        ui.localWidget.visible = ui.placeComboBox.currentIndex == HERE
        ui.hostWidget.visible = ui.placeComboBox.currentIndex == THERE
        if event is None or engine.state != self._answeredIn:
            self._answer = ""
        if choice.isLooking:
            words = _("Looking for a Python that has what the engine needs …")
        elif choice.needsSetUp:
            words = _("The engine is not installed yet. Set it up, or choose a Python of your own that has it.")
        else:
            words = self._answer or engine.words
        ui.engineStateLabel.text = words
        runs = engine.state in ("starting", "ready")
        ui.startEngineButton.text = _("Stop") if runs else _("Start")
        tip = (
            _("Ends the engine; the next click starts it again.")
            if runs
            else _("Starts the engine now rather than at the next click.")
        )
        isHere = engine.isRemote or (choice.interpreter is not None and not choice.needsSetUp)
        obstacle = "" if isHere and not choice.isLooking else _("There is no engine yet. Set it up first.")
        allow(ui.startEngineButton, tip, obstacle)
        allow(ui.testEngineButton, _("Tells whether the engine can be reached and is well, and if not, why."), obstacle)
        allow(
            ui.modelComboBox,
            _("The model that computes the masks. The compact one comes with the extension."),
            _("The other computer chooses the model.") if engine.isRemote else "",
        )
        allow(
            ui.downloadButton,
            _("Lists public models with their sizes and licences. Asks before one is downloaded."),
            obstacle or (_("Models are installed on the other computer.") if engine.isRemote else ""),
        )
        allow(
            ui.installButton,
            _("Finds out what the engine needs, and asks before anything is installed."),
            _("The installation is under way.")
            if choice.isInstalling
            else ("" if choice.needsSetUp else _("All that the engine needs is there.")),
        )

    def _fillModels(self) -> None:
        """The models of this computer."""
        combo = self.ui.modelComboBox
        self._models = [entry.name for entry in list_models() if entry.origin != "known"] or [BUNDLED_MODEL]
        combo.clear()
        for name in self._models:
            combo.addItem(name)
        chosen = self.choice.settings.model or BUNDLED_MODEL
        combo.setCurrentIndex(self._models.index(chosen) if chosen in self._models else 0)

    def _onPlace(self, place: int) -> None:
        if place == HERE and self.choice.settings.isRemote:
            self.choice.settings.place = ""
            self.choice.take()
        self.show(None)

    def _onPython(self) -> None:
        python = self.ui.pythonEdit.text.strip()
        if python != self.choice.settings.python:
            self.choice.settings.python = python
            self.choice.take()

    def _browsePython(self) -> None:
        chosen = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Python interpreter"), "", "")
        if chosen:
            self.ui.pythonEdit.text = chosen
            self._onPython()

    def _applyHost(self) -> None:
        ui = self.ui
        self.choice.useHost(
            ui.addressEdit.text.strip().rstrip("/"), ui.keyEdit.text.strip(), ui.certificatesEdit.text.strip()
        )

    def _startOrStop(self) -> None:
        engine = self.logic.engine
        if engine.state in ("starting", "ready"):
            engine.stop()
        else:
            engine.start()

    def _test(self) -> None:
        self.ui.engineStateLabel.text = _("Asking the engine …")
        self.logic.engine.test(self._tested)

    def _tested(self, _isWell: bool, words: str) -> None:
        self._answer, self._answeredIn = words, self.logic.engine.state
        self.ui.engineStateLabel.text = words

    def _showLog(self) -> None:
        dialog = qt.QDialog(slicer.util.mainWindow())
        dialog.setAttribute(qt.Qt.WA_DeleteOnClose, True)
        dialog.setWindowTitle(_("Log of the engine"))
        layout = qt.QVBoxLayout(dialog)
        text: Any = qt.QPlainTextEdit()
        text.setReadOnly(True)
        text.setPlainText("\n".join(self.logic.engine.logLines) or _("The engine has said nothing yet."))
        layout.addWidget(text)
        dialog.resize(640, 400)
        dialog.show()
