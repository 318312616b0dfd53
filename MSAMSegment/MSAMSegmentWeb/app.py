"""Puts the page together and serves it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
import sys
import webbrowser
from collections.abc import Callable

from aiohttp import web
from trame.app import get_server

from msam.access import is_loopback
from msam.errors import MsamError
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.asyncio_transport import AsyncioTransport
from MSAMSegmentLib.transport import Transport
from MSAMSegmentWeb import downloads, layout, shortcuts, uploads
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
        state.update({"trame__title": "MSAMSegment", **shortcuts.as_state()})
        self.views = Views(self.server, self.libraries)
        self.panel = Panel(state, self.logic, self.views)
        self.work = Work(state, self.libraries.scene, self.logic, self.views, self.panel, options.limits)
        self._downloads = Downloads()
        self.actions = Actions(
            self.server, self.logic, self.views, self.panel, self.work, Exports(self.logic, self._downloads)
        )
        layout.build(self.server)
        loopback = is_loopback(options.host)
        self.guard = Guard(options.key, loopback=loopback, encrypted=options.certificate is not None)
        self._uploads = Uploads(options.limits, self.work.receive)
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
        try:
            await asyncio.wait([serving, self._ready], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            announce(self.address)
            await self._open_first()
            await serving
        finally:
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
            engine.useHost(self._options.engine_url, self._options.engine_key or "")
        else:
            engine.useThisComputer(sys.executable, self._options.model, self._options.device)
        engine.start()

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
        if self._options.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._options.certificate, self._options.private_key)
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
    """Serves the page until Ctrl+C or SIGTERM, and ends the process then.

    Args:
        options: what was asked for.
        say: told what people should know, a line at a time.

    Raises:
        MsamError: it cannot be served like that.
    """
    options.check()
    os.environ["TRAME_ARGS"] = ""  # The arguments of this program are none of trame's.

    def announce(address: str) -> None:
        say(f"The page is at {address}  (Ctrl+C ends it)")
        if options.open_browser:
            webbrowser.open(address)

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        page = Page(options)
        await asyncio.sleep(0)
        await page.serve(announce)

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        say("The page has ended.")
        end_process(0)
