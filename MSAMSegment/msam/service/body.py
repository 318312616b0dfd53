"""Reading the body of a request: its length is known or counted before it is kept, and it must keep coming."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request

from msam.protocol.names import Code
from msam.protocol.problems import ProtocolError, ServiceError

# Bodies longer than this are read a few at a time, which bounds the memory of all of them together.
LONG = 1 << 20
MOST_LONG = 16
# Bytes a second, less than which would keep others waiting for their turn to be read.
SLOWEST = 64 << 10


class Bodies:
    """Reads bodies for one service."""

    def __init__(self, seconds: float) -> None:
        """Gives a body up that stands still for so many seconds, or comes no faster than `SLOWEST` after them."""
        self._seconds = seconds
        self._long = asyncio.Semaphore(MOST_LONG)

    async def read(self, request: Request, limit: int) -> bytes:
        """The whole body.

        Raises:
            ServiceError: it is longer than the limit, or stopped coming.
            ProtocolError: its announced length is no number.
        """
        announced = _announced(request)
        if announced is not None and announced > limit:
            raise _too_large(limit)
        if announced is not None and announced <= LONG:
            return await self._collect(request, limit)
        async with self._long:
            return await self._collect(request, limit)

    async def _collect(self, request: Request, limit: int) -> bytes:
        body, chunks = bytearray(), request.stream()
        end = time.monotonic() + self._seconds + limit / SLOWEST
        try:
            while True:
                body += await asyncio.wait_for(anext(chunks), min(self._seconds, end - time.monotonic()))
                if len(body) > limit:
                    raise _too_large(limit)
        except StopAsyncIteration:
            return bytes(body)
        except TimeoutError:
            raise ServiceError("The request stopped coming before it was complete.", Code.TOO_SLOW) from None


def _announced(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise ProtocolError("The length that the request announces is no number.")
    return int(text[:20])


def _too_large(limit: int) -> ServiceError:
    return ServiceError(f"The request is too long; at most {limit} bytes are read here.", Code.TOO_LARGE)
