"""Who may come in: this computer or whoever has the key, one browser at a time, and no page of another origin."""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from MSAMSegmentWeb import pages

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SOCKET = "/ws"
ENTRY = ("/", "/index.html")
KEY_PATH = "/key"
# What the page for the key needs before anybody has shown one.
OPEN_FILES = ("/page/gate.js", "/page/gate.css")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
# For so long a browser that is gone is waited for: a reload, a short break of the network.
GRACE_SECONDS = 8.0
# How long a wrong key is thought about.
WRONG_KEY_SECONDS = 1.0
LONGEST_KEY = 4096

HEADERS = {
    # Vue compiles templates in the browser, which needs 'unsafe-eval'; nothing may come from or go to another host.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """A middleware in front of everything that the page's server answers."""

    def __init__(
        self, key: str | None, *, loopback: bool, encrypted: bool, hand_over: Callable[[], None] = lambda: None
    ) -> None:
        """Lets nobody in yet.

        Args:
            key: what a browser has to show first; None for nothing.
            loopback: whether only this computer is listened to.
            encrypted: whether this server itself does TLS.
            hand_over: called when another browser gets the page than had it before, and before it sees anything.
        """
        self._key, self._loopback, self._encrypted = key, loopback, encrypted
        self._hand_over = hand_over
        self._ticket: str | None = None
        self._owner: str | None = None
        self._socket: asyncio.Task[object] | None = None
        self._seen = -math.inf
        self._welcome: set[str] = set()  # Those who have shown the key.

    @property
    def is_occupied(self) -> bool:
        """Whether a browser has the page open, or had it a moment ago."""
        return self._socket is not None or time.monotonic() - self._seen < GRACE_SECONDS

    def ticket(self) -> str:
        """A key that lets in once whoever shows it first, in the place of a ticket made before.

        For the address that a browser is started with: everybody on a computer can see the arguments of its programs.
        """
        self._ticket = secrets.token_urlsafe(32)
        return self._ticket

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets a request through, or answers it."""
        response = await self._answer(request, handler)
        if not response.prepared:
            response.headers.update(HEADERS)
            response.headers.setdefault("Cache-Control", "no-cache")
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = self._foreign(request)
        if refusal:
            return web.Response(status=403, text=refusal)
        if request.path in OPEN_FILES:
            return await handler(request)
        if request.path == KEY_PATH and request.method == "POST":
            return await self._take_key(request)
        token = request.cookies.get(self._cookie(request), "")
        if self._key is not None and token not in self._welcome:
            return pages.key_page() if request.path in ENTRY else web.Response(status=401, text="The key is missing.")
        if self._owner is None or not hmac.compare_digest(token.encode(), self._owner.encode()):
            return self._enter(request, token)
        if request.path == SOCKET:
            return await self._talk(request, handler)
        if request.path in ENTRY:
            self._seen = time.monotonic()
            return pages.index_page()
        return await handler(request)

    def _foreign(self, request: web.Request) -> str:
        """Why a request does not come from this page itself; empty when it does.

        A name that somebody else's DNS points here (rebinding) shows in Host, a page of another origin in Origin.
        """
        try:
            name, _ = _place(request)
        except ValueError:
            return "The request names no computer; open the page at the address that its program has said."
        if self._loopback and name not in LOOPBACK_NAMES:
            return "This page is only served under the name of this computer itself, such as localhost."
        origin = request.headers.get("Origin")
        scheme = "https" if self._is_encrypted(request) else "http"
        if origin is not None and origin != f"{scheme}://{request.headers.get('Host', '')}":
            return "The request comes from another page."
        if origin is None and (request.path == SOCKET or request.method not in ("GET", "HEAD")):
            return "The request does not say which page it comes from."
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and request.path not in ENTRY:
            return "The request comes from another page."
        return ""

    async def _take_key(self, request: web.Request) -> web.StreamResponse:
        shown = (await request.content.read(LONGEST_KEY)).strip()
        is_ticket = self._ticket is not None and hmac.compare_digest(shown, self._ticket.encode())
        if is_ticket:
            self._ticket = None
        elif self._key is None or not hmac.compare_digest(shown, self._key.encode()):
            await asyncio.sleep(WRONG_KEY_SECONDS)
            return web.Response(status=401, text="This is not the key.")
        token = secrets.token_urlsafe(32)
        self._welcome.add(token)
        response = web.Response(status=204)
        self._set_cookie(request, response, token)
        return response

    def _enter(self, request: web.Request, token: str) -> web.StreamResponse:
        """Somebody who does not have the page yet."""
        if request.path not in ENTRY:
            return web.Response(status=401, text="Open the page first.")
        if self.is_occupied:
            return pages.occupied_page()
        if self._owner is not None:
            self._hand_over()
        self._owner = token if token in self._welcome else secrets.token_urlsafe(32)
        self._seen = time.monotonic()
        response = pages.index_page()
        self._set_cookie(request, response, self._owner)
        return response

    async def _talk(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The connection of the page. A newer one of the same browser, a reload, ends the one before."""
        before, self._socket = self._socket, asyncio.current_task()
        if before is not None:
            before.cancel()
        try:
            return await handler(request)
        finally:
            if self._socket is asyncio.current_task():
                self._socket, self._seen = None, time.monotonic()

    def _cookie(self, request: web.Request) -> str:
        # Cookies are shared by all ports of a host; two of these pages must not share one.
        return f"msam-page-{_place(request)[1]}"

    def _is_encrypted(self, request: web.Request) -> bool:
        """Whether the browser speaks TLS, with this server or with a proxy in front of it."""
        return self._encrypted or request.headers.get("X-Forwarded-Proto") == "https"

    def _set_cookie(self, request: web.Request, response: web.Response, token: str) -> None:
        secure = self._is_encrypted(request)
        response.set_cookie(self._cookie(request), token, httponly=True, samesite="Strict", path="/", secure=secure)


def _place(request: web.Request) -> tuple[str, int]:
    """The name and the port under which a browser knows this server.

    Raises:
        ValueError: the request names no place at all.
    """
    place = urlsplit(f"//{request.headers.get('Host', '')}")
    return place.hostname or "", place.port or 0
