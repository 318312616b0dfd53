"""Zstandard with the length known beforehand: nothing is decompressed that is not exactly as long as it should be."""

from __future__ import annotations

import zstandard

from msam.protocol.problems import ProtocolError

# Room for what Zstandard adds to data that cannot be compressed.
OVERHEAD = 1 << 10


def compress(data: bytes | memoryview, level: int) -> bytes:
    """One frame that states the length of its content."""
    return zstandard.ZstdCompressor(level=level, write_content_size=True).compress(data)


def decompress(data: bytes | memoryview, length: int, what: str) -> bytes:
    """The content of one frame.

    Args:
        data: the frame, and nothing after it.
        length: of the content. It is compared with what the frame states before memory is taken.
        what: names the content in the error.

    Raises:
        ProtocolError: it is damaged, or has another length.
    """
    if len(data) > largest_frame(length):
        raise ProtocolError(f"{what} came with {len(data)} compressed bytes, more than {length} bytes can need.")
    try:
        stated = zstandard.get_frame_parameters(data).content_size
        if stated != length:
            raise ProtocolError(f"{what} should have {length} bytes, and its compressed form does not state that.")
        content = zstandard.ZstdDecompressor().decompress(data, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ProtocolError(f"{what} is damaged: it cannot be decompressed.") from error
    if len(content) != length:
        raise ProtocolError(f"{what} is damaged: it has {len(content)} bytes instead of {length}.")
    return content


def largest_frame(length: int) -> int:
    """The most bytes that content of a length can be compressed to."""
    return length + length // 128 + OVERHEAD
