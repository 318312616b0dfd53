"""The child process of an application: `python -m msam.service [--model NAME]`.

Standard input: the token in the first line; then nothing. Its end is the request to stop, and that of the parent.
Standard output: lines of JSON (`msam.protocol.events`). The process listens on loopback only, at a port that the system
chooses, and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

from msam import __version__
from msam.errors import MsamError
from msam.protocol.events import Event, Failed, Progress, Ready, encode_event
from msam.protocol.names import VERSION
from msam.service.app import create_app
from msam.service.door import allow_many_files
from msam.service.engine import ITSELF, Engine
from msam.service.log import Write, file_writer, log_to
from msam.service.parent import read_token, when_parent_ends
from msam.service.server import POLL_SECONDS, server
from msam.service.settings import Settings
from msam.service.sockets import loopback_socket

SHORTEST_TOKEN = 32
# How long requests that are being answered may take once the parent wants the process to end.
GRACE_SECONDS = 2


def main() -> None:
    """Serves until the parent closes the pipe or ends."""
    options = _options()
    write = _only_events_on_stdout()
    log_to(write)
    code = 1
    try:
        with contextlib.suppress(BrokenPipeError):  # nobody is left to be told
            code = asyncio.run(_serve(options, write))
    finally:
        # A step may still be computed in its thread. Nothing of it is wanted, and nothing of it lies outside memory.
        os._exit(code)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m msam.service", description="The engine as a child process.")
    parser.add_argument("--model", help="loaded at the start, and used when a request names none")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    return parser.parse_args()


def _only_events_on_stdout() -> Write:
    """Keeps the standard output for events; what libraries print goes to the standard error."""
    events = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return file_writer(events)


async def _serve(options: argparse.Namespace, write: Write) -> int:
    def say(event: Event) -> None:
        write(encode_event(event))

    token = read_token()
    if len(token) < SHORTEST_TOKEN:
        say(Failed("The engine was started without a token on its standard input."))
        return 2
    settings = Settings(token=token, model=options.model, devices=(options.device,), shares_memory=True)
    app = create_app(settings)
    engine: Engine = app.state.engine
    allow_many_files()
    listening = loopback_socket()
    port = listening.getsockname()[1]
    http = server(app, timeout_graceful_shutdown=GRACE_SECONDS)

    def end() -> None:
        http.should_exit = True
        threading.Timer(2 * GRACE_SECONDS, os._exit, (0,)).start()

    when_parent_ends(end)
    serving = asyncio.create_task(http.serve(sockets=[listening]))
    while not http.started and not serving.done():
        await asyncio.sleep(POLL_SECONDS)
    # Ctrl+C in a terminal reaches the whole group of processes; it is the parent that decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        await _load(engine, say)
    except MsamError as error:
        say(Failed(str(error)))
        http.should_exit = True
        await serving
        return 2
    say(Ready(port, VERSION, __version__, engine.catalogue.default, settings.shares_memory))
    await serving
    return 0


async def _load(engine: Engine, say: Callable[[Event], None]) -> None:
    """Loads the model that the service is started with, and tells how far that is."""
    model = engine.catalogue.default
    if model is None:
        return
    say(Progress(0.0, "Starting PyTorch"))
    loading, told = asyncio.create_task(engine.load(model, ITSELF)), None
    while not loading.done():
        await asyncio.wait({loading}, timeout=POLL_SECONDS)
        now = engine.catalogue.status(model)
        if now.state == "loading" and now != told:
            say(Progress(now.fraction, now.words))
            told = now
    await loading


if __name__ == "__main__":
    main()
