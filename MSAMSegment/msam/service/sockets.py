"""Where a service listens."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from typing import Any

from msam.errors import MsamError
from msam.service.door import Door, guarded


def loopback_socket() -> socket.socket:
    """A socket on a free port that only this machine reaches.

    asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named; with the 0 that
    `socket.create_server` leaves there, each answer waits 40 ms for an acknowledgement that the other side delays.
    """
    listening = guarded(Door(), socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    return listening


def host_sockets(host: str, port: int) -> list[socket.socket]:
    """Sockets at every address of this machine that a name stands for.

    Raises:
        MsamError: it stands for none, or something listens there already; the text says which.
    """
    listening: list[socket.socket] = []
    missing: OSError | None = None
    door = Door()
    try:
        with contextlib.ExitStack() as opened:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in dict.fromkeys(found):
                try:
                    listening.append(opened.enter_context(_bound(guarded(door, family, kind, protocol), address)))
                except OSError as error:
                    # "localhost" has two addresses, also where one of the families is switched off.
                    if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                        raise
                    missing = error
            if missing is not None and not listening:
                raise missing
            opened.pop_all()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "that is no name of this computer"
        raise MsamError(f"The engine cannot listen at {host}, port {port}: {why}.") from error
    return listening


def _bound(opened: socket.socket, address: Any) -> socket.socket:
    try:
        if sys.platform != "win32":
            # A port that was in use a moment ago; on Windows the option would share one that is in use.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if opened.family == socket.AF_INET6:
            # Both families at one port, each with a socket of its own.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened
