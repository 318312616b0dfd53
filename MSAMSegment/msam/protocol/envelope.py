"""Binary messages: a header in JSON, then the parts that JSON is no good for.

offset   bytes   content (integers are unsigned, little-endian)
0        4       magic, "MSEG"
4        2       version of the protocol
6        2       number of parts, N
8        4       length of the header, H
12       8 N     lengths of the parts
12+8N    H       header: JSON in UTF-8
12+8N+H  ...     the parts, one after the other, to the end of the message
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from msam.protocol.names import LARGEST_JSON, VERSION
from msam.protocol.problems import ProtocolError

MAGIC = b"MSEG"
PREFIX = struct.Struct("<4sHHI")
LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Envelope:
    """A message that was taken apart. The parts are views of it, not copies."""

    header: bytes
    parts: tuple[memoryview, ...]


def close(header: bytes, parts: Sequence[bytes]) -> bytes:
    """A message of a header and parts."""
    lengths = b"".join(LENGTH.pack(len(part)) for part in parts)
    return b"".join((PREFIX.pack(MAGIC, VERSION, len(parts), len(header)), lengths, header, *parts))


def open_(message: bytes, parts: int) -> Envelope:
    """Takes a message apart.

    Args:
        message: all of it.
        parts: how many parts it should have.

    Raises:
        ProtocolError: it is cut off, too long, of another version, or not such a message at all.
    """
    if len(message) < PREFIX.size:
        raise ProtocolError(f"The message is cut off after {len(message)} bytes.")
    magic, version, count, header_length = PREFIX.unpack_from(message)
    if magic != MAGIC:
        raise ProtocolError("These bytes are not a message of this protocol.")
    if version != VERSION:
        raise ProtocolError(
            f"The message is of version {version} of the protocol; version {VERSION} is spoken here. "
            "Bring the client and the service to the same release."
        )
    if count != parts:
        raise ProtocolError(f"The message has {count} parts where {parts} are expected.")
    if header_length > LARGEST_JSON:
        raise ProtocolError(f"The message has a header of {header_length} bytes; at most {LARGEST_JSON} are read.")
    start = PREFIX.size + LENGTH.size * count
    if len(message) < start + header_length:
        raise ProtocolError(f"The message is cut off after {len(message)} bytes.")
    lengths = [LENGTH.unpack_from(message, PREFIX.size + LENGTH.size * part)[0] for part in range(count)]
    at = start + header_length
    if at + sum(lengths) != len(message):
        raise ProtocolError(f"The message has {len(message)} bytes and announces {at + sum(lengths)}.")
    view, found = memoryview(message), []
    for length in lengths:
        found.append(view[at : at + length])
        at += length
    return Envelope(bytes(view[start : start + header_length]), tuple(found))
