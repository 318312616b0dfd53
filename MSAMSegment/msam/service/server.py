"""uvicorn, told what it is to be here: no logs of its own, nothing but HTTP, and a bound on connections."""

from __future__ import annotations

import asyncio
import functools
import socket
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 256
GRACE_SECONDS = 10
# A client clicks every few seconds; a new connection for each click, with TLS, would cost it several round trips.
KEEP_ALIVE_SECONDS = 65
# Within which the header of a request must have come once its first byte may. uvicorn itself waits for ever, so that
# whoever says nothing on all the connections there are, without any token, would keep everybody else out.
HEADER_SECONDS = 20.0
# The same of a TLS handshake, before which nothing else is known of a connection; asyncio waits for a minute.
HANDSHAKE_SECONDS = 10.0
# Until a server that is starting is looked at again.
POLL_SECONDS = 0.02


class ImpatientProtocol(H11Protocol):
    """Closes a connection on which a request does not come."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock runs from the first moment on."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """A header that trickles in does not turn the clock back."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class ImpatientServer(uvicorn.Server):
    """Closes a connection whose TLS handshake does not come, for which uvicorn has no option."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen."""
        if not self.config.is_ssl:
            await super().startup(sockets)
            return
        loop: Any = asyncio.get_running_loop()
        # Only for the calls that uvicorn makes in here.
        loop.create_server = functools.partial(loop.create_server, ssl_handshake_timeout=HANDSHAKE_SECONDS)
        try:
            await super().startup(sockets)
        finally:
            del loop.create_server


def server(app: FastAPI, **options: Any) -> uvicorn.Server:
    """A server for an application; `options` are uvicorn's."""
    chosen: dict[str, Any] = {
        "http": ImpatientProtocol,
        "ws": "none",
        "loop": "asyncio",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "limit_concurrency": MOST_CONNECTIONS,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        **options,
    }
    return ImpatientServer(uvicorn.Config(app, **chosen))
