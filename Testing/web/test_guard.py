"""Who is let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError, web
from aiohttp.test_utils import TestServer

from MSAMSegmentWeb import guard
from MSAMSegmentWeb.guard import Guard

KEY = "a-key-of-sixteen-letters"


def at_the_gate(
    scenario: Callable[[str, Callable[[], ClientSession]], Coroutine[Any, Any, None]],
    key: str | None = None,
    *,
    loopback: bool = True,
    made: Callable[[Guard], None] = lambda guard: None,
    hand_over: Callable[[], None] = lambda: None,
) -> None:
    """Runs a scenario against a server behind a guard: its address, and a maker of browsers."""

    async def socket(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        async for _ in connection:
            pass
        return connection

    async def secret(_request: web.Request) -> web.Response:
        return web.Response(text="secret")

    async def run() -> None:
        gate = Guard(key, loopback=loopback, encrypted=False, hand_over=hand_over)
        made(gate)
        application = web.Application(middlewares=[gate.middleware])
        application.router.add_get("/ws", socket)
        application.router.add_route("*", "/{path:.*}", secret)
        server = TestServer(application)
        await server.start_server()
        browsers: list[ClientSession] = []

        def browser() -> ClientSession:
            from aiohttp import CookieJar

            browsers.append(ClientSession(cookie_jar=CookieJar(unsafe=True)))
            return browsers[-1]

        try:
            await scenario(f"http://127.0.0.1:{server.port}", browser)
        finally:
            for each in browsers:
                await each.close()
            await server.close()

    asyncio.run(run())


def test_only_names_of_this_computer_are_answered() -> None:
    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        port = address.rpartition(":")[2]
        async with browser().get(address) as answer:
            assert answer.status == 200
        # The page is taken now, which those who are let in are told.
        for host in ("localhost", "127.0.0.1", "[::1]"):
            async with browser().get(address, headers={"Host": f"{host}:{port}"}) as answer:
                assert answer.status == 409, host
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""):
            async with browser().get(address, headers={"Host": f"{host}:{port}"}) as answer:
                assert answer.status == 403, host

    at_the_gate(scenario)


@pytest.mark.parametrize("loopback", [True, False])
@pytest.mark.parametrize("host", ["[", "localhost:99999", "localhost:abc"])
def test_a_host_that_is_none_is_refused(host: str, loopback: bool) -> None:
    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        for path in ("/", "/key", "/page/gate.js"):
            async with browser().get(address + path, headers={"Host": host}) as answer:
                assert answer.status == 403 and "names no computer" in await answer.text()

    at_the_gate(scenario, KEY, loopback=loopback)


def test_requests_of_other_pages_are_refused() -> None:
    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        page = browser()
        async with page.get(address) as answer:
            assert answer.status == 200
        for headers, status in (
            ({"Origin": address}, 200),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": address.replace("http:", "https:")}, 403),
            ({}, 403),
        ):
            async with page.post(f"{address}/upload", headers=headers) as answer:
                assert answer.status == status, headers
        async with page.get(f"{address}/x", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.status == 403

    at_the_gate(scenario)


@pytest.mark.parametrize("origin", [None, "http://evil.example"])
def test_the_connection_needs_the_pages_own_origin(origin: str | None) -> None:
    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        page = browser()
        await (await page.get(address)).read()
        async with page.ws_connect(f"{address}/ws", origin=address) as connection:
            assert not connection.closed
        with pytest.raises(WSServerHandshakeError, match="403"):
            await page.ws_connect(f"{address}/ws", origin=origin)

    at_the_gate(scenario)


def test_a_second_browser_is_told_so_and_may_come_in_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "GRACE_SECONDS", 0.2)

    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        first, second = browser(), browser()
        await (await first.get(address)).read()
        async with first.ws_connect(f"{address}/ws", origin=address):
            await asyncio.sleep(0.3)
            async with second.get(address) as answer:
                assert answer.status == 409 and "one browser at a time" in await answer.text()
            async with second.get(f"{address}/download/x") as answer:
                assert answer.status == 401
            with pytest.raises(WSServerHandshakeError, match="401"):
                await second.ws_connect(f"{address}/ws", origin=address)
        await asyncio.sleep(0.4)
        async with second.get(address) as answer:
            assert answer.status == 200
        async with first.get(address) as answer:
            assert answer.status == 409

    at_the_gate(scenario)


def test_a_reload_takes_the_connection_over() -> None:
    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        page = browser()
        await (await page.get(address)).read()
        before = await page.ws_connect(f"{address}/ws", origin=address)
        after = await page.ws_connect(f"{address}/ws", origin=address)
        await asyncio.wait_for(before.receive(), 5)
        assert before.closed and not after.closed
        await after.close()

    at_the_gate(scenario)


def test_without_the_key_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WRONG_KEY_SECONDS", 0.0)

    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        page, headers = browser(), {"Origin": address}
        for path in ("/", "/download/x", "/assets/index.js"):
            async with page.get(address + path) as answer:
                assert answer.status == 401
        async with page.post(f"{address}/key", data="wrong", headers=headers) as answer:
            assert answer.status == 401
        async with page.post(f"{address}/key", data=KEY, headers=headers) as answer:
            assert answer.status == 204
        async with page.get(address) as answer:
            assert answer.status == 200 and 'id="app"' in await answer.text()
        async with browser().get(address) as answer:
            assert answer.status == 401

    at_the_gate(scenario, KEY, loopback=False)


def test_every_answer_forbids_other_hosts() -> None:
    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        async with browser().get(address) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self'") and "http" not in policy
            assert "httponly" in answer.headers["Set-Cookie"].lower()
            assert "samesite=strict" in answer.headers["Set-Cookie"].lower()

    at_the_gate(scenario)


def test_what_was_open_is_closed_before_another_browser_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "GRACE_SECONDS", 0.0)
    closed: list[str] = []

    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        first, second = browser(), browser()
        for _reload in range(2):
            async with first.get(address) as answer:
                assert answer.status == 200
        assert not closed
        async with second.get(address) as answer:
            assert answer.status == 200
        assert closed == ["closed"]

    at_the_gate(scenario, hand_over=lambda: closed.append("closed"))


def test_a_ticket_lets_one_browser_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WRONG_KEY_SECONDS", 0.0)
    gates: list[Guard] = []

    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        ticket, headers = gates[0].ticket(), {"Origin": address}
        for data, status in ((ticket, 204), (ticket, 401), (KEY, 204)):
            async with browser().post(f"{address}/key", data=data, headers=headers) as answer:
                assert answer.status == status

    at_the_gate(scenario, KEY, made=gates.append)


def test_behind_a_proxy_that_does_tls_the_cookie_never_travels_in_the_clear() -> None:
    async def scenario(address: str, browser: Callable[[], ClientSession]) -> None:
        headers = {"Host": "page.example.org", "X-Forwarded-Proto": "https", "Origin": "https://page.example.org"}
        async with browser().post(f"{address}/key", data=KEY, headers=headers) as answer:
            assert answer.status == 204 and "; secure" in answer.headers["Set-Cookie"].lower()
        async with browser().post(f"{address}/key", data=KEY, headers={"Origin": address}) as answer:
            assert answer.status == 204 and "; secure" not in answer.headers["Set-Cookie"].lower()

    at_the_gate(scenario, KEY, loopback=False)
