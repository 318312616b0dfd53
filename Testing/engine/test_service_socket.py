"""The socket that the engine of one user listens on."""

from __future__ import annotations

import asyncio
import socket

from msam.service.sockets import loopback_socket


def test_only_this_machine_reaches_it():
    with loopback_socket() as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        assert listening.getsockname()[1] > 0


def test_small_answers_are_sent_at_once():
    """Otherwise every answer waits for an acknowledgement, 40 ms on Linux."""
    assert asyncio.run(_without_delay())


async def _without_delay() -> bool:
    answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = writer.get_extra_info("socket")
        answered.set_result(bool(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    listening = loopback_socket()
    async with await asyncio.start_server(take, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        without = await answered
        writer.close()
        await writer.wait_closed()
    return without
