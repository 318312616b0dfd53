"""Brings the engine that the user chose to where the logic finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from msam.errors import MsamError
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.engine_exchange import hostEndpoint
from MSAMSegmentLib.installation import Candidate, Installer, ProbeResult, findInterpreter, planFor
from MSAMSegmentLib.transport import Cancellable, Transport
from MSAMSegmentWidgets.engine_settings import EngineSettings
from MSAMSegmentWidgets.section import Sayer

BUNDLED_MODEL = "compact"


class EngineChoice:
    """The engine: looked for on this computer, or on another one that the user agreed to.

    Attributes:
        settings: what the user chose.
        interpreter: the Python that the engine runs in; None while none has been found.
        needsSetUp: no interpreter on this computer has all that the engine needs.
    """

    def __init__(
        self, logic: MSAMSegmentLogic, transport: Transport, sayer: Sayer, onChanged: Callable[[], None]
    ) -> None:
        self.settings = EngineSettings()
        self.interpreter: Candidate | None = None
        self.needsSetUp = False
        self._logic, self._transport, self._sayer, self._onChanged = logic, transport, sayer, onChanged
        self._probes: list[ProbeResult] = []
        self._search: Cancellable | None = None
        self._installer: Installer | None = None
        self._isOpen = True

    def close(self) -> None:
        """What was asked for is not answered any more."""
        self._isOpen = False
        self._stopLooking()
        if self._installer is not None:
            self._installer.cancel()

    @property
    def isLooking(self) -> bool:
        """Whether an interpreter is being looked for."""
        return self._search is not None

    def take(self) -> None:
        """Takes the engine that the settings name, and starts it, so that the first click need not wait."""
        self._stopLooking()
        if self.settings.isRemote:
            self._takeHost()
        else:
            self.needsSetUp = False
            self._search = findInterpreter(self._transport, self.settings.python or None, self._found)
            self._onChanged()

    def _stopLooking(self) -> None:
        search, self._search = self._search, None
        if search is not None:
            search.cancel()

    def _found(self, candidate: Candidate | None, probes: list[ProbeResult]) -> None:
        self._search, self.interpreter, self._probes = None, candidate, probes
        self.needsSetUp = candidate is None
        if candidate is not None:
            self._logic.engine.useThisComputer(
                candidate.python,
                self.settings.model or BUNDLED_MODEL,
                self.settings.device or None,
                candidate.isOwnInterpreter,
            )
            self._begin()
        self._onChanged()

    def _takeHost(self) -> None:
        settings = self.settings
        self.needsSetUp = False
        if settings.address != settings.agreedAddress:
            self._sayer.say(_("Allow scans to be sent to the other computer first: Engine, Use this engine."))
            return
        try:
            self._logic.engine.useHost(settings.address, settings.key, settings.certificates or None)
        except MsamError as error:
            self._sayer.say(str(error))
        else:
            self._begin()
        self._onChanged()

    def _begin(self) -> None:
        """Starts the engine; clicks that were made while there was none are answered now."""
        self._logic.engine.start()
        if self._logic.lastError and self._logic.segmentation is not None and self._logic.inputVolume is not None:
            try:
                self._logic.retry()
            except MsamError as error:
                self._sayer.say(str(error))

    def useHost(self, address: str, key: str, certificates: str) -> None:
        """Asks whether scans may leave this computer, and goes to the engine there after a yes.

        Raises:
            SceneError: that cannot be an address or a key. Nothing has changed then.
        """
        hostEndpoint(address, key, certificates or None)
        question = _(
            "From now on, the scans that you click on are sent to {address} and computed there. "
            "Are you allowed to do that, and do you want to?"
        ).format(address=address)
        if not slicer.util.confirmYesNoDisplay(question, windowTitle=_("Send scans to another computer")):
            self._sayer.say(_("Nothing is sent; the engine is where it was."))
            return
        settings = self.settings
        settings.place, settings.agreedAddress = "host", address
        settings.address, settings.key, settings.certificates = address, key, certificates
        self.take()

    @property
    def isInstalling(self) -> bool:
        """Whether what is missing is being installed."""
        return self._installer is not None

    def setUp(self) -> None:
        """Installs what is missing in Slicer's own Python, after asking; the application goes on meanwhile."""
        if self.isInstalling:
            return
        own = next((probe for probe in self._probes if probe.candidate.isOwnInterpreter), None)
        if own is None:
            self._sayer.say(_("Slicer's own Python was not found. Choose an interpreter in the section Engine."))
            return
        installer = Installer(
            self._transport, own.candidate.python, planFor(own), self._ask, self._progress, self._installed
        )
        try:
            installer.start()
        except MsamError as error:
            self._sayer.say(str(error))
        else:
            self._installer = installer
            self._onChanged()

    def _installed(self, error: MsamError | None) -> None:
        self._installer = None
        if not self._isOpen:
            return
        self._sayer.rest()
        self._onChanged()
        if error is not None:
            self._sayer.say(str(error))
        else:
            self.take()

    @staticmethod
    def _ask(question: str) -> bool:
        return bool(slicer.util.confirmYesNoDisplay(question, windowTitle=_("Set up the engine")))

    def _progress(self, fraction: float, words: str) -> None:
        if self._isOpen:
            self._sayer.work(words, fraction, self._cancelSetUp)

    def _cancelSetUp(self) -> None:
        if self._installer is not None:
            self._sayer.say(_("The installation is being cancelled."))
            self._installer.cancel()

    # Models

    def useModel(self, name: str) -> None:
        """Starts the engine again with another model."""
        self.settings.model = "" if name == BUNDLED_MODEL else name
        self.take()

    def useDevice(self, device: str) -> None:
        """Starts the engine again on another device; "" for the best there is."""
        self.settings.device = device
        self.take()

    def downloader(self, name: str, onLine: Callable[[bytes], None], onExit: Callable[[int], None]) -> Any:
        """Downloads a public model with the engine's interpreter; answers the process.

        Args:
            name: of the model.
            onLine: called with each line that it prints.
            onExit: called with its exit code.
        """
        from msam.engine_process import command
        from MSAMSegmentLib.engine_environment import ownEnvironment, startupEnvironment
        from MSAMSegmentLib.transport import ProcessCallbacks

        assert self.interpreter is not None, "the button is disabled until there is one"
        own = self.interpreter.isOwnInterpreter
        return self._transport.startProcess(
            command.module_command(self.interpreter.python, "msam.checkpoints.fetch", name, own=own),
            ownEnvironment() if own else command.environment(startupEnvironment()),
            ProcessCallbacks(onLine, lambda line: None, onExit, lambda why: onExit(-1)),
        )
