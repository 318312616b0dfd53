"""`EngineProcess`: the engine as a child process, driven with threads. For Python programs and tests."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO

from msam.engine_process import machine
from msam.engine_process.command import command, environment, first_line, new_token
from msam.engine_process.endpoint import Endpoint
from msam.engine_process.machine import Action, Event, Machine
from msam.protocol import events
from msam.protocol.events import LONGEST_LINE
from msam.protocol.problems import ServiceError

logger = logging.getLogger(__name__)
Listener = Callable[[events.Log | events.Progress], None]


class EngineProcess:
    """Starts the engine, keeps it alive, and tells where it listens.

    with EngineProcess(model="compact") as engine:
        client = Client(engine.endpoint)
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        python: str = sys.executable,
        device: str | None = None,
        base_environment: Mapping[str, str] | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Prepares; `start` starts.

        Args:
            model: loaded at the start and after every crash.
            python: the interpreter that runs the engine.
            device: where models run; None for the best there is.
            base_environment: variables for the process; None for those of this one.
            listener: called with lines of the log and the progress of the start, from any thread; they are logged if
                there is none.
        """
        self._command = command(python, model, device)
        self._environment = environment(os.environ if base_environment is None else base_environment)
        self._listener = listener or _log
        self._machine = Machine()
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self._endpoint: Endpoint | None = None
        self._alarm: threading.Timer | None = None
        # Actions lead to no event within the same thread, apart from `NotStarted`; hence a lock that one thread may
        # take twice.
        self._changed = threading.Condition(threading.RLock())

    def __enter__(self) -> EngineProcess:
        """Starts the engine."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops it."""
        self.stop()

    @property
    def state(self) -> machine.StateName:
        """Where its life stands."""
        return self._machine.state

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Starts the engine without waiting for it."""
        self._on(machine.Start())

    def stop(self, timeout: float = 10.0) -> None:
        """Stops the engine and waits until it has ended."""
        self._on(machine.Stop())
        with self._changed:
            self._changed.wait_for(lambda: self._machine.state in ("stopped", "failed"), timeout)

    def restart(self) -> None:
        """Ends an engine that does not answer; another takes its place."""
        self._on(machine.Restart())

    def endpoint(self, timeout: float = machine.START_SECONDS) -> Endpoint:
        """Where the engine listens, as soon as it does.

        Raises:
            ServiceError: it failed, was stopped, or takes too long.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._endpoint is not None or self._machine.state != "starting", timeout)
            if self._endpoint is not None:
                return self._endpoint
            if self._machine.state == "starting":
                raise ServiceError("The engine is still starting; try again in a moment.")
            raise ServiceError(self._machine.message or "The engine is not running. Start it first.")

    def _on(self, event: Event) -> None:
        with self._changed:
            self._machine, actions = self._machine.on(event, time.monotonic())
            for action in actions:
                self._do(action)
            self._changed.notify_all()
        for action in actions:
            if isinstance(action, machine.Tell):
                self._listener(action.event)

    def _do(self, action: Action) -> None:
        match action:
            case machine.Spawn():
                self._spawn()
            case machine.CloseInput():
                _close_input(self._process)
            case machine.Kill():
                if self._process is not None:
                    self._process.kill()
            case machine.SetAlarm(seconds):
                self._set_alarm(seconds)
            case machine.ClearAlarm():
                self._clear_alarm()
            case machine.Announce(ready):
                self._endpoint = Endpoint(f"http://127.0.0.1:{ready.port}", self._token, ready.shared_memory)
            case machine.Withdraw():
                self._endpoint = None
            case machine.Tell():
                pass  # once the lock is free, since nobody knows what a listener does
            case machine.Fail(message):
                logger.error(message)

    def _spawn(self) -> None:
        self._token = new_token()
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._on(machine.NotStarted(f"{self._command[0]}: {error.strerror}."))
            return
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        # A process that has ended already is heard of by its end.
        try:
            process.stdin.write(first_line(self._token))
            process.stdin.flush()
        except OSError:
            logger.debug("The engine ended before it was given its token.")
        complaints = threading.Thread(target=self._listen, args=(process.stderr, machine.Complaint), daemon=True)
        complaints.start()
        threading.Thread(target=self._watch, args=(process, process.stdout, complaints), daemon=True).start()

    def _listen(self, stream: IO[bytes], kind: type[machine.Output] | type[machine.Complaint]) -> None:
        with stream:
            while line := stream.readline(LONGEST_LINE):
                self._on(kind(line))

    def _watch(self, process: subprocess.Popen[bytes], output: IO[bytes], complaints: threading.Thread) -> None:
        self._listen(output, machine.Output)
        complaints.join()
        code = process.wait()
        _close_input(process)
        self._on(machine.Exited(code))

    def _set_alarm(self, seconds: float) -> None:
        self._clear_alarm()
        alarm = threading.Timer(seconds, lambda: self._ring(alarm))
        alarm.daemon = True
        self._alarm = alarm
        alarm.start()

    def _ring(self, alarm: threading.Timer) -> None:
        with self._changed:
            if self._alarm is alarm:
                self._on(machine.Alarm())

    def _clear_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _close_input(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.stdin is None:
        return
    try:
        process.stdin.close()
    except OSError:
        logger.debug("The engine had closed its end of the pipe.")


def _log(event: events.Log | events.Progress) -> None:
    if isinstance(event, events.Progress):
        logger.info("%.0f%% %s", 100 * event.fraction, event.words)
    else:
        level = logging.getLevelNamesMapping().get(event.level.upper(), logging.INFO)
        logger.log(level, "%s %s", event.message, event.fields)
