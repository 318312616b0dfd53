"""What every request passes: its token, its version, its end in words, and a line in the log."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from msam.access import is_loopback
from msam.errors import MsamError
from msam.protocol.names import AUTHORISATION, BEARER, OPEN_PATHS, VERSION, VERSION_HEADER, Code
from msam.service import answers
from msam.service.log import place_of
from msam.service.memory import translated
from msam.service.metrics import Metrics

logger = logging.getLogger(__name__)
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH")
# The version that a path is of.
OF_PATH = re.compile(r"/v([0-9]+)/")


class Gate:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, token: str | None, metrics: Metrics) -> None:
        self._app = app
        self._expected = None if token is None else f"{BEARER}{token}".encode()
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or a start or stop of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        unread = _has_body(scope)

        async def reading() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and bool(message.get("more_body"))
            return message

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[VERSION_HEADER] = str(VERSION)
                if unread:
                    # Who is still sending would wait for ever for somebody to read on.
                    headers["Connection"] = "close"
            await send(message)

        try:
            refused = self._refused(scope)
            if refused is None:
                await self._app(scope, reading, noting)
            else:
                await refused(scope, reading, noting)
        except ClientDisconnect:
            status = status or 499
        except asyncio.CancelledError:
            # The server stops, and has waited for as long as it may.
            if not status:
                await answers.problem(Code.STOPPING, "The engine is stopping.")(scope, reading, noting)
        except Exception as raised:
            error = translated(raised)
            if not isinstance(error, MsamError):
                logger.error("request failed", extra={"fields": {"error": type(error).__name__, "at": place_of(error)}})
            if not status:
                answer = answers.refusal(error) if isinstance(error, MsamError) else _unforeseen()
                await answer(scope, reading, noting)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._expected is None and not _asks_this_machine(headers):
            return answers.problem(
                Code.WRONG_HOST, "Without a key, this engine answers to names of this computer only."
            )
        if self._expected is not None and scope["path"] not in OPEN_PATHS:
            shown = headers.get(AUTHORISATION, "").encode("latin-1", "replace")
            if not hmac.compare_digest(shown, self._expected):
                return answers.problem(Code.UNAUTHORISED, "The token of the request is missing or wrong.")
        spoken = headers.get(VERSION_HEADER, str(VERSION))
        of_path = OF_PATH.match(scope["path"])
        if spoken != str(VERSION) or (of_path and of_path[1] != str(VERSION)):
            return answers.problem(
                Code.VERSION_MISMATCH,
                f"This engine speaks version {VERSION} of the protocol, the client another one. "
                "Bring both to the same release.",
            )
        return None

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.count("msam_requests_total", route=route, method=method, status=str(status))
        self._metrics.observe("msam_request_seconds", seconds, route=route)
        fields = {"method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1)}
        address = scope["client"][0] if scope.get("client") else ""
        if not is_loopback(address):
            # Who comes with wrong keys is known by this alone.
            fields["from"] = address
        # One that nobody has a key for is a complaint, of which only so many are written down.
        level = logging.WARNING if status == Code.UNAUTHORISED.status else logging.INFO
        logger.log(level, "request", extra={"fields": fields})


def _asks_this_machine(headers: Headers) -> bool:
    """Whether a request is for a name of this machine.

    A page in a browser of this machine can be made to believe that it comes from here, by a name whose address
    changes (DNS rebinding); that name is in the request.
    """
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _unforeseen() -> Response:
    return answers.problem(Code.INTERNAL, "The engine met something unexpected; its log tells where.")
