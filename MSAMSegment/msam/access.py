"""The API key of an engine, and the addresses that need none."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from msam.errors import MsamError
from msam.protocol.names import KEY_VARIABLE

SHORTEST_KEY = 16


def api_key(file: Path | None) -> str | None:
    """The key that clients have to show: from a file, else from the environment; None when there is neither.

    Raises:
        MsamError: the file cannot be read, or the key is too short to be one.
    """
    if file is not None:
        try:
            key = file.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise MsamError(f"The key cannot be read from {file}: {_why(error)}.") from error
    else:
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key:
            return None
    if len(key) < SHORTEST_KEY or not key.isascii() or any(character.isspace() for character in key):
        raise MsamError(
            f"The key needs at least {SHORTEST_KEY} plain characters in one line. One can be made with: "
            'python -c "import secrets; print(secrets.token_hex(32))"'
        )
    return key


def is_loopback(host: str) -> bool:
    """Whether a name or an address is that of this very machine, and of no network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(address: str) -> str:
    """What counts as one place that connections come from: an address, or of IPv6 the network that it is in.

    Such a network has 2^64 addresses, all of them at the hands of whoever has one.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4 or found.is_loopback:
        return str(found)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))


def _why(error: Exception) -> str:
    return error.strerror or "unknown" if isinstance(error, OSError) else "it is no text"
