"""Compression with the length known beforehand: nothing is decompressed that is not exactly as long as it should be.

Masks travel as zlib, which every Python has. Voxels travel as Zstandard where the sender has it, which is several
times quicker, and as zlib where it has not: that of 3D Slicer, for one. The first bytes tell them apart.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any

from msam.protocol.problems import ProtocolError

ZSTANDARD_MAGIC = b"\x28\xb5\x2f\xfd"
# Room for what either adds to data that cannot be compressed.
OVERHEAD = 1 << 10

try:
    _zstandard: Any = import_module("zstandard")
except ImportError:
    _zstandard = None


def deflate(data: bytes | memoryview, level: int) -> bytes:
    """One zlib stream."""
    return zlib.compress(data, level)


def compress_quickly(data: bytes | memoryview) -> bytes:
    """The quickest there is here: a Zstandard frame that states the length of its content, else a zlib stream."""
    if _zstandard is None:
        return zlib.compress(data, 1)
    frame: bytes = _zstandard.ZstdCompressor(level=1, write_content_size=True).compress(data)
    return frame


def decompress(data: bytes | memoryview, length: int, what: str) -> bytes:
    """The content of one stream or frame.

    Args:
        data: the stream or frame, and nothing after it.
        length: of the content. No more memory is taken than it needs.
        what: names the content in the error.

    Raises:
        ProtocolError: it is damaged, has another length, or is of a kind that cannot be read here.
    """
    if len(data) > largest_frame(length):
        raise ProtocolError(f"{what} came with {len(data)} compressed bytes, more than {length} bytes can need.")
    content = _unzstandard(data, length, what) if data[:4] == ZSTANDARD_MAGIC else _inflate(data, length, what)
    if len(content) != length:
        raise ProtocolError(f"{what} is damaged: it has {len(content)} bytes instead of {length}.")
    return content


def largest_frame(length: int) -> int:
    """The most bytes that content of a length can be compressed to."""
    return length + length // 128 + OVERHEAD


def _inflate(data: bytes | memoryview, length: int, what: str) -> bytes:
    stream = zlib.decompressobj()
    try:
        # One byte more than there should be tells a stream that goes on from one that ends there.
        content = stream.decompress(data, length + 1)
    except zlib.error as error:
        raise ProtocolError(f"{what} is damaged: it cannot be decompressed.") from error
    if len(content) > length:
        raise ProtocolError(f"{what} should have {length} bytes, and its compressed form has more.")
    if not stream.eof or stream.unused_data:
        raise ProtocolError(f"{what} is damaged: its compressed form is cut off, or has something after its end.")
    return content


def _unzstandard(data: bytes | memoryview, length: int, what: str) -> bytes:
    if _zstandard is None:
        raise ProtocolError(
            f"{what} came compressed with Zstandard, which this Python lacks. Send it as zlib, or install zstandard."
        )
    try:
        stated = _zstandard.get_frame_parameters(data).content_size
        if stated != length:
            raise ProtocolError(f"{what} should have {length} bytes, and its compressed form does not state that.")
        decompressor = _zstandard.ZstdDecompressor()
        content: bytes = decompressor.decompress(data, max_output_size=length, allow_extra_data=False)
    except _zstandard.ZstdError as error:
        raise ProtocolError(f"{what} is damaged: it cannot be decompressed.") from error
    return content
