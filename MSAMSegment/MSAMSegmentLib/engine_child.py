"""The engine as a child process of the application: `msam.engine_process.machine` driven by a transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msam.engine_process import command, machine
from msam.engine_process.endpoint import Endpoint
from msam.engine_process.machine import Action, Event, Machine
from msam.protocol.events import Log, Progress
from MSAMSegmentLib.transport import Cancellable, ChildProcess, ProcessCallbacks, Transport


class EngineChild:
    """One engine on this computer, started again when it crashes.

    Attributes:
        endpoint: where it listens; None while it does not.
        progress: how far a start is; None when nothing is known of it.
    """

    def __init__(
        self,
        transport: Transport,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        onChange: Callable[[], None],
        onLog: Callable[[Log], None],
    ) -> None:
        """Prepares; `start` starts.

        Args:
            transport: by which the process is started.
            arguments: the program and its arguments.
            environment: of the process, all of it.
            onChange: called after every change of the attributes or of the state.
            onLog: called with lines for the log.
        """
        self.endpoint: Endpoint | None = None
        self.progress: Progress | None = None
        self._transport = transport
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._onChange = onChange
        self._onLog = onLog
        self._machine = Machine()
        self._process: ChildProcess | None = None
        self._token = ""
        self._alarm: Cancellable | None = None

    @property
    def state(self) -> machine.StateName:
        """Where its life stands."""
        return self._machine.state

    @property
    def message(self) -> str:
        """Why it failed; "" when it did not."""
        return self._machine.message

    def start(self) -> None:
        """Starts it, if it does not run."""
        self._on(machine.Start())

    def stop(self) -> None:
        """Asks it to end, and ends it when it does not."""
        self._on(machine.Stop())

    def restart(self) -> None:
        """Puts another one in its place."""
        # Nobody is sent to this one any more while it is on its way out.
        self.endpoint = None
        self._on(machine.Restart() if self.state in ("starting", "ready") else machine.Start())

    def _on(self, event: Event) -> None:
        self._machine, actions = self._machine.on(event, self._transport.now())
        for action in actions:
            self._do(action)
        self._onChange()

    def _do(self, action: Action) -> None:
        match action:
            case machine.Spawn():
                self._spawn()
            case machine.CloseInput():
                if self._process is not None:
                    self._process.closeInput()
            case machine.Kill():
                if self._process is not None:
                    self._process.kill()
            case machine.SetAlarm(seconds):
                self._clearAlarm()
                self._alarm = self._transport.callLater(seconds, lambda: self._on(machine.Alarm()))
            case machine.ClearAlarm():
                self._clearAlarm()
            case machine.Announce(ready):
                self.progress = None
                self.endpoint = Endpoint(f"http://127.0.0.1:{ready.port}", self._token, ready.shared_memory)
            case machine.Withdraw():
                self.endpoint = None
            case machine.Tell(told):
                if isinstance(told, Progress):
                    self.progress = told
                else:
                    self._onLog(told)
            case machine.Fail(message):
                self._onLog(Log("error", message, {}))

    def _spawn(self) -> None:
        self.progress = None
        self._token = command.new_token()
        self._process = self._transport.startProcess(
            self._arguments,
            self._environment,
            ProcessCallbacks(
                onOutput=lambda line: self._on(machine.Output(line)),
                onComplaint=lambda line: self._on(machine.Complaint(line)),
                onExit=self._exited,
                onNotStarted=lambda reason: self._on(machine.NotStarted(reason)),
            ),
        )
        self._process.write(command.first_line(self._token))

    def _exited(self, code: int) -> None:
        self._process = None
        self._on(machine.Exited(code))

    def _clearAlarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
