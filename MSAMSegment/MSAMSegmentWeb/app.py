"""Puts the page together and serves it."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from aiohttp import web
from trame.app import get_server

from msam.access import is_loopback
from msam.errors import MsamError
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.asyncio_transport import AsyncioTransport
from MSAMSegmentLib.transport import Transport
from MSAMSegmentWeb import downloads, folders, layout, listening, shortcuts, uploads
from MSAMSegmentWeb.actions import Actions
from MSAMSegmentWeb.downloads import Downloads
from MSAMSegmentWeb.ending import end_process
from MSAMSegmentWeb.exports import Exports
from MSAMSegmentWeb.guard import SOCKET, Guard
from MSAMSegmentWeb.options import Options
from MSAMSegmentWeb.pages import FOLDER
from MSAMSegmentWeb.panel import Panel
from MSAMSegmentWeb.slicer_libraries import bring_up
from MSAMSegmentWeb.uploads import Uploads
from MSAMSegmentWeb.views import Views
from MSAMSegmentWeb.work import Work

logger = logging.getLogger(__name__)

# Where trame's script asks for a session before it connects.
SESSION_PATH = "/paraview/"
# Ctrl+C, being told to end, and the terminal being closed, which not every system knows.
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
# What shells call the end by Ctrl+C.
INTERRUPTED = 130


class Page:
    """The page and all that belongs to it. Made and used within a running event loop."""

    def __init__(self, options: Options, transport: Transport | None = None) -> None:
        """Builds everything and starts the engine, which loads its model meanwhile.

        Args:
            options: what was asked for.
            transport: the way to the engine; None for the usual one.
        """
        self._options = options
        self._transport = transport or AsyncioTransport(asyncio.get_running_loop())
        self.libraries = bring_up()
        self.logic = MSAMSegmentLogic(transport=self._transport, scene=self.libraries.scene)
        self._choose_engine()
        self.server = get_server(f"msam-page-{id(self)}", client_type="vue3")
        state = self.server.state
        host = urlsplit(options.engine_url or "").hostname or ""
        state.update({"trame__title": "MSAMSegment", "engine_host": host, **shortcuts.as_state()})
        self.views = Views(self.server, self.libraries)
        self.panel = Panel(state, self.logic, self.views)
        self.work = Work(state, self.libraries.scene, self.logic, self.views, self.panel, options.limits)
        self._downloads = Downloads()
        self.actions = Actions(
            self.server, self.logic, self.views, self.panel, self.work, Exports(self.logic, self._downloads)
        )
        layout.build(self.server)
        loopback = is_loopback(options.host)
        encrypted = options.certificate is not None
        self.guard = Guard(options.key, loopback=loopback, encrypted=encrypted, hand_over=self._hand_over)
        self._uploads = Uploads(options.limits, self.work.reading, self.work.receive)
        self.server.controller.on_server_bind.add(self._bind)
        self.server.controller.on_client_connected.add(self._greet)
        self._ready = asyncio.get_running_loop().create_future()
        self.server.controller.on_server_ready.add(lambda **_: self._ready.set_result(None))

    @property
    def address(self) -> str:
        """Where the page is, once it is served."""
        scheme = "https" if self._options.certificate else "http"
        host = self._options.host
        name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"{scheme}://{name}:{self.server.port}/"

    async def serve(self, announce: Callable[[str], None] = lambda address: None) -> None:
        """Serves until it is cancelled, then deletes what was uploaded and ends the engine.

        Args:
            announce: told the address once the page can be opened.
        """
        serving: asyncio.Task[object] | None = None
        try:
            serving = self.server.start(
                host=self._options.host,
                port=self._options.port,
                exec_mode="task",
                backend="aiohttp",
                open_browser=False,
                show_connection_info=False,
                disable_logging=True,
                timeout=0,
                thread=True,  # The signals are this program's own.
            )
            await asyncio.wait([serving, self._ready], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            announce(self.address)
            await self._open_first()
            await serving
        finally:
            if serving is not None:
                serving.cancel()
            self.close()

    def close(self) -> None:
        """Ends the engine and deletes every file that came or waits to go."""
        self.logic.close()
        self.work.close()
        self._downloads.close()

    def _choose_engine(self) -> None:
        engine = self.logic.engine
        if self._options.engine_url:
            certificates = self._options.engine_certificates
            engine.useHost(
                self._options.engine_url, self._options.engine_key or "", str(certificates) if certificates else None
            )
        else:
            engine.useThisComputer(sys.executable, self._options.model, self._options.device)
        engine.start()

    def _hand_over(self) -> None:
        """Another browser gets the page: nothing of what was done in the one before is left for it."""
        self._uploads.drop()
        self._downloads.drop()
        self.work.empty()

    def _greet(self) -> None:
        """A browser has come, or has loaded the page again."""
        self.views.draw()

    def _bind(self, server: object) -> None:
        """Adds what the page's server answers beside trame's own; `server` is wslink's."""
        application: web.Application = server.app  # type: ignore[attr-defined]
        application.middlewares.append(self.guard.middleware)
        application.router.add_post(uploads.PATH, self._uploads.handle)
        application.router.add_get(downloads.PATH, self._downloads.handle)
        application.router.add_post(SESSION_PATH, _tell_session)
        application.router.add_static("/page", FOLDER)
        context = listening.tls(self._options)
        if context is not None:
            server.config["ssl"] = context  # type: ignore[attr-defined]

    async def _open_first(self) -> None:
        from MSAMSegmentWeb.demo import open_sample
        from MSAMSegmentWeb.scans import name_of

        try:
            if self._options.scan is not None:
                await self.work.open(self._options.scan, name_of(self._options.scan.name))
            elif self._options.demo:
                await open_sample(self.work, self.logic, click=True)
        except MsamError as error:
            self.panel.say(str(error))


async def _tell_session(request: web.Request) -> web.Response:
    scheme = "wss" if request.headers["Origin"].startswith("https:") else "ws"
    return web.json_response({"sessionURL": f"{scheme}://{request.host}{SOCKET}"})


def run(options: Options, say: Callable[[str], None]) -> None:
    """Serves the page until Ctrl+C, SIGTERM, or the terminal is closed, and ends the process then.

    Without a key one is made: other users of this computer can reach the page as well.

    Args:
        options: what was asked for.
        say: told what people should know, a line at a time.

    Raises:
        MsamError: it cannot be served like that.
    """
    options.check()
    listening.check(options)
    folders.delete_left_behind()
    os.environ["TRAME_ARGS"] = ""  # The arguments of this program are none of trame's.
    asyncio.run(_serve_and_end(options, say))


async def _serve_and_end(options: Options, say: Callable[[str], None]) -> None:
    _cancel_on_signals()
    made = None if options.key else secrets.token_urlsafe(24)
    transport = AsyncioTransport(asyncio.get_running_loop())
    try:
        page = Page(replace(options, key=options.key or made), transport)

        def announce(address: str) -> None:
            say(f"The page is at {address}{f'#key={made}' if made else ''}  (Ctrl+C ends it)")
            if options.open_browser:
                webbrowser.open(f"{address}#key={page.guard.ticket()}")

        await page.serve(announce)
    except asyncio.CancelledError:
        pass  # It was asked to end.
    finally:
        transport.close()
        # Left to the end of the event loop, which cancels everything, an engine that is just being started would
        # never be heard of again.
        await transport.waitUntilClosed()
        folders.delete_own()
    with suppress(OSError):  # The terminal may be gone.
        say("The page has ended.")
    # Here, as the event loop would wait for the threads that read scans.
    end_process(0)


def _cancel_on_signals() -> None:
    """The first signal cancels this task in good order; one that comes after it ends the process at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked = 0

    def end() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            task.cancel()
        else:
            end_process(INTERRUPTED)

    for number in (getattr(signal, name) for name in ENDING if hasattr(signal, name)):
        # Whoever starts a program with `nohup` wants it to outlive the terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)
