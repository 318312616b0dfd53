"""HTTP requests on httpx, and why one got no answer."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.transport import Answer, Request

CONNECT_SECONDS = 10.0
PIECE = 1 << 18
NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}


class Clients:
    """Keeps connections open from one request to the next, apart by what is trusted."""

    def __init__(self) -> None:
        self._clients: dict[tuple[bool, str | None], Any] = {}

    async def exchange(self, request: Request, onProgress: Callable[[int, int], None] | None) -> Answer:
        """Sends a request and waits for its answer, or for what keeps it from coming."""
        import httpx

        try:
            client = self._client(request)
        except (OSError, ssl.SSLError):
            return Answer(0, failure=Failure.NO_CERTIFICATES)
        headers = dict(request.headers)
        content: AsyncIterator[bytes] | bytes | None = None
        if request.body and onProgress is not None:
            headers["Content-Length"] = str(len(request.body))
            content = _pieces(request.body, onProgress)
        elif request.body:
            content = request.body
        try:
            async with asyncio.timeout(request.seconds):
                found = await client.request(request.method, request.url, headers=headers, content=content)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(0, failure=Failure.TOO_SLOW)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return Answer(0, failure=failureOf(error))
        return Answer(found.status_code, found.content)

    async def close(self) -> None:
        """Closes the connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    def _client(self, request: Request) -> Any:
        import httpx

        secure = request.url.startswith("https:")
        key = (secure, request.certificates if secure else None)
        if key not in self._clients:
            # Without TLS there is nothing to trust, and reading the system's certificates takes a while.
            verify = ssl.create_default_context(cafile=request.certificates) if secure else False
            timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
            self._clients[key] = httpx.AsyncClient(verify=verify, timeout=timeout, trust_env=secure)
        return self._clients[key]


def failureOf(error: BaseException) -> Failure:
    """Which case an error of httpx is, from the errors that led to it."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Failure.NOT_TRUSTED
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Failure.NO_ENCRYPTION
    if any(isinstance(cause, socket.gaierror | UnicodeError) for cause in causes):
        return Failure.NO_SUCH_ADDRESS
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    if errno.ECONNREFUSED in numbers:
        return Failure.NOTHING_LISTENS
    if numbers & NO_WAY:
        return Failure.UNREACHABLE
    return Failure.LOST


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that led to it."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


async def _pieces(body: bytes, onProgress: Callable[[int, int], None]) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]
        onProgress(min(start + PIECE, len(body)), len(body))
