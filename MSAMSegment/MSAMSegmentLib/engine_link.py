"""`EngineLink`: where the engine is, whether it is well, and what that means in words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

from msam.engine_process import command
from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol import names
from msam.protocol.events import Log
from msam.protocol.messages import Health, ModelStatus
from MSAMSegmentLib.engine_child import EngineChild
from MSAMSegmentLib.engine_environment import ownEnvironment, startupEnvironment
from MSAMSegmentLib.engine_exchange import healthIn, hostEndpoint, requestTo
from MSAMSegmentLib.engine_questions import HEALTH_SECONDS, askForModels, askWhetherWell, loadModel
from MSAMSegmentLib.engine_waiting import Waiters
from MSAMSegmentLib.engine_words import STOPPED, readyWords, startingWords
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Answer, Cancellable, Transport

State = Literal["stopped", "starting", "ready", "failed"]

KEPT_LINES = 500


class EngineLink:
    """One engine: a child process of this application, or a host.

    Nothing is started before `start`, or before somebody waits for it to be ready.

    Attributes:
        health: what it said of itself when it became ready; None before.
        logLines: the last lines of its log, without anything about patients.
    """

    def __init__(self, transport: Transport, listener: Callable[[], None] | None = None) -> None:
        """An engine that is nowhere yet: choose with `useThisComputer` or `useHost`.

        Args:
            transport: the way to it.
            listener: called after every change of `state`, `words` or `health`.
        """
        self.health: Health | None = None
        self.logLines: deque[str] = deque(maxlen=KEPT_LINES)
        self._transport = transport
        self._listener = listener
        self._child: EngineChild | None = None
        self._host: Endpoint | None = None
        self._hostState: State = "stopped"
        self._failure = ""
        self._model = ""
        self._waiting = Waiters()
        self._asking: Cancellable | None = None
        self._greeted: Endpoint | None = None
        self._told: object = None

    # Where it is

    def useThisComputer(
        self, python: str, model: str = "compact", device: str | None = None, isOwnInterpreter: bool = False
    ) -> None:
        """Takes a child process of this application as the engine, instead of the one before.

        Args:
            python: the interpreter that has what the engine needs.
            model: loaded at the start, and after every crash.
            device: "auto", "cpu", "cuda", "cuda:N" or "mps"; None for "auto".
            isOwnInterpreter: it is the application's own, which needs the environment of the application.
        """
        self._leave()
        environment = ownEnvironment() if isOwnInterpreter else command.environment(startupEnvironment())
        # What a child says after another has taken its place is of no interest any more.
        child = EngineChild(
            self._transport,
            command.command(python, model, device, own=isOwnInterpreter),
            environment,
            lambda: self._childChanged(child),
            lambda line: self._note(line) if self._child is child else None,
        )
        self._child, self._model = child, model
        self._changed()

    def useHost(self, url: str, key: str, certificates: str | None = None) -> None:
        """Takes an engine on another computer, instead of the one before.

        Args:
            url: such as "https://gpu.example.org:8421"; http is for this computer alone.
            key: that the engine asks for; "" where it asks for none.
            certificates: PEM file of the certificates to trust; None for the system's.

        Raises:
            SceneError: that cannot be an address or a key. The engine before stays then.
        """
        endpoint = hostEndpoint(url, key, certificates)
        self._leave()
        self._host = endpoint
        self._changed()

    @property
    def isRemote(self) -> bool:
        """Whether the scan leaves this application for a host."""
        return self._host is not None

    # Its life

    def start(self) -> None:
        """Starts the engine, or asks the host how it is; does nothing when it is ready or on its way."""
        if self.state in ("starting", "ready"):
            return
        self._failure = ""
        if self._child is not None:
            self._child.start()
        elif self._host is not None:
            self._ask(self._host)
        else:
            self._failure = _("No engine has been chosen. Choose one in the settings.")
            self._transport.callLater(0, self._changed)

    def stop(self) -> None:
        """Ends the process, or turns away from the host. Whoever waits is told."""
        self._forgetHealth()
        self._failure, self._hostState = "", "stopped"
        if self._child is not None:
            self._child.stop()
        self._changed()

    def restart(self) -> None:
        """Puts another process in the place of this one; asks a host anew."""
        if self._child is not None:
            self._forgetHealth()
            self._failure = ""
            self._child.restart()
        else:
            self._hostState = "stopped"
            self.start()

    def close(self) -> None:
        """Ends what runs. Nobody is told any more."""
        self._listener = None
        self._waiting.clear()
        self._leave()

    @property
    def state(self) -> State:
        """Where it stands."""
        if self._failure:
            return "failed"
        if self._child is None:
            return self._hostState
        state = self._child.state
        if state == "ready" and self._child.endpoint is None:
            return "starting"
        return "stopped" if state == "stopping" else state

    @property
    def words(self) -> str:
        """Where it stands, as a sentence for people."""
        where = self._host.url if self._host is not None else ""
        match self.state:
            case "failed":
                return self._failure or (self._child.message if self._child is not None else "")
            case "stopped":
                return STOPPED
            case "starting":
                return startingWords(where, self._child.progress if self._child is not None else None)
        return readyWords(where, self.modelName, self.deviceName)

    @property
    def fraction(self) -> float | None:
        """How much of a start is done, 0 to 1; None when that is not known."""
        told = self._child.progress if self._child is not None and self.state == "starting" else None
        return told.fraction if told else None

    @property
    def modelName(self) -> str:
        """The model that steps use unless they name another; "" while that is not known."""
        return (self.health.model or "") if self.health is not None else self._model

    @property
    def deviceName(self) -> str:
        """Where models run, such as "cuda:0"; "" while that is not known."""
        return ", ".join(self.health.devices) if self.health is not None else ""

    @property
    def endpoint(self) -> Endpoint | None:
        """Where to send requests; None unless it is ready."""
        if self.state != "ready":
            return None
        return self._child.endpoint if self._child is not None else self._host

    def whenReady(self, onReady: Callable[[Endpoint], None], onFailed: Callable[[MsamError], None]) -> Cancellable:
        """Starts the engine if need be, and tells once when it is ready, has failed, or was stopped.

        One of both is called later, never from within this call.
        """
        waiting = self._waiting.add(onReady, onFailed)
        self.start()
        self._transport.callLater(0, self._tellWaiting)
        return waiting

    def report(self, error: MsamError) -> None:
        """A host could not be reached again and again: it is not ready until somebody asks for it anew."""
        if self._host is not None and self._hostState == "ready":
            self._hostState, self._failure = "failed", str(error)
            self._changed()

    # What can be asked of it

    def test(self, onDone: Callable[[bool, str], None]) -> Cancellable:
        """Finds out whether the engine works, starting it if need be. Each one is asked anew.

        Args:
            onDone: called with whether all is well, and with words: model, device and version, or which of these it
                is: no such address, nothing listens, no engine, a wrong key, a certificate that is not trusted,
                another version.
        """
        if self._host is not None:
            self._hostState, self._failure = "stopped", ""
        return askWhetherWell(self, self._transport, onDone)

    def models(self, onDone: Callable[[tuple[ModelStatus, ...], str], None]) -> Cancellable:
        """Asks for the models that a step may name; tells them and "", or none of them and what went wrong."""
        return askForModels(self, self._transport, onDone)

    def loadModel(
        self, name: str, onProgress: Callable[[float, str], None], onDone: Callable[[bool, str], None]
    ) -> Cancellable:
        """Loads a model, with the fraction done, 0 to 1, and words; tells whether it is loaded, and words.

        A step that names a model loads it by itself when it must.

        Raises:
            SceneError: no model can have that name.
        """
        return loadModel(self, self._transport, name, onProgress, onDone)

    # What happens to it

    def _leave(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()
        self._host, self._hostState, self._failure, self._model = None, "stopped", "", ""
        self._forgetHealth()

    def _forgetHealth(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asking = self._greeted = self.health = None

    def _childChanged(self, child: EngineChild) -> None:
        if self._child is not child:
            return
        endpoint = child.endpoint
        if endpoint is None:
            self._forgetHealth()
        elif endpoint is not self._greeted:
            self._ask(endpoint)
        self._changed()

    def _ask(self, endpoint: Endpoint) -> None:
        """Asks an engine how it is: a child for its model and device, a host before it counts as ready."""
        self._forgetHealth()
        self._greeted = endpoint
        if endpoint is self._host:
            self._hostState = "starting"
        request = requestTo(endpoint, "GET", names.HEALTH, seconds=HEALTH_SECONDS)
        self._asking = self._transport.send(request, lambda answer: self._answered(endpoint, answer))
        self._changed()

    def _answered(self, endpoint: Endpoint, answer: Answer) -> None:
        self._asking = None
        failure = ""
        try:
            self.health = healthIn(answer, endpoint)
        except MsamError as error:
            failure = str(error)
        if endpoint is self._host:
            self._hostState, self._failure = ("failed", failure) if failure else ("ready", "")
        self._changed()

    def _note(self, line: Log) -> None:
        fields = "".join(f" {name}={value}" for name, value in line.fields.items())
        self.logLines.append(f"{line.level}: {line.message}{fields}")

    def _changed(self) -> None:
        if self._waiting and self.state != "starting":
            self._transport.callLater(0, self._tellWaiting)
        told = (self.state, self.words, self.health)
        if told != self._told and self._listener is not None:
            self._told = told
            self._listener()

    def _tellWaiting(self) -> None:
        if self.state == "starting":
            return
        words = self.words if self.state == "failed" else _("The engine was stopped.")
        self._waiting.tell(self.endpoint, words)
