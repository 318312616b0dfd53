"""Who may connect: nobody who says nothing, or nothing that opens anything, takes everybody's place."""

from __future__ import annotations

import contextlib
import socket
import sys
import weakref
from typing import Any

from msam.access import is_loopback, origin

# Connections at a time, those before a TLS handshake included, which have cost memory and a file already.
MOST = 512
# A hospital's proxy brings 16 clients, each with a step, a look at its progress, and an upload or a cancel.
MOST_OF_ONE = 64
# A proxy in front of the service brings everybody; it keeps count itself.
MOST_OF_THIS_MACHINE = 192
# Files that a process has open beside connections: models, libraries, devices.
OTHER_FILES = 100
ENOUGH_FILES = 4096


class Door:
    """Counts the connections there are, by where they come from."""

    def __init__(self) -> None:
        self._origins: weakref.WeakKeyDictionary[socket.socket, str] = weakref.WeakKeyDictionary()
        self._most = min(MOST, max(16, _files() - OTHER_FILES))

    def admits(self, taken: socket.socket, address: str) -> bool:
        """Whether there is room for one more connection from an address; it is counted until it is closed."""
        found = origin(address)
        inside = [each for connection, each in self._origins.items() if connection.fileno() >= 0]
        # Never more than half, where few files may be open: others are to have room as well.
        most = min(MOST_OF_THIS_MACHINE if is_loopback(address) else MOST_OF_ONE, self._most // 2)
        if len(inside) >= self._most or inside.count(found) >= most:
            return False
        self._origins[taken] = found
        return True


class GuardedSocket(socket.socket):
    """A listening socket with a door. On Windows asyncio takes connections in without asking it."""

    door: Door

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            ConnectionAbortedError: it was closed at once, as there is no room for it; asyncio goes on then.
        """
        taken, address = super().accept()
        if not self.door.admits(taken, address[0]):
            taken.close()
            raise ConnectionAbortedError("too many connections")
        return taken, address


def guarded(door: Door, family: int, kind: int, protocol: int) -> GuardedSocket:
    """A socket that is to listen behind a door."""
    opened = GuardedSocket(family, kind, protocol)
    opened.door = door
    return opened


def allow_many_files() -> None:
    """Lets this process have many files, and so connections, open at a time, as far as the system lets it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _files() -> int:
    if sys.platform == "win32":
        return ENOUGH_FILES
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH_FILES if soft == resource.RLIM_INFINITY else soft
