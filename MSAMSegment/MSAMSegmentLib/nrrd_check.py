"""Whether an NRRD file is whole. Slicer's reader of segmentations ends the application when it meets a cut-off one."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

BYTES = {"unsigned char": 1, "uchar": 1, "uint8": 1, "short": 2, "unsigned short": 2, "int": 4, "unsigned int": 4}
# More than any header has; the tags of all segments are in it.
LONGEST_HEADER = 64 << 20
AT_ONCE = 1 << 20


def isWhole(path: Path) -> bool:
    """Whether a file has a header, and as many bytes of data as that says. Only gzip and raw data are known.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(AT_ONCE)
        while b"\n\n" not in head and len(head) < LONGEST_HEADER and (more := file.read(AT_ONCE)):
            head += more
        header, end, data = head.partition(b"\n\n")
        fields = dict(line.split(b": ", 1) for line in header.splitlines()[1:] if b": " in line and b":=" not in line)
        if not end or not header.startswith(b"NRRD") or not {b"sizes", b"type", b"encoding"} <= set(fields):
            return False
        sizes = [int(size) for size in fields[b"sizes"].split() if size.isdigit()]
        expected = math.prod(sizes) * BYTES.get(fields[b"type"].decode(), 0)
        unpacker = zlib.decompressobj(wbits=31) if fields[b"encoding"] in (b"gzip", b"gz") else None
        length = 0
        try:
            while data:
                if unpacker is None:
                    length += len(data)
                else:
                    # In bounded pieces: a box of zeros of any size packs into next to nothing.
                    length += len(unpacker.decompress(data, AT_ONCE))
                    if unpacker.unconsumed_tail:
                        data = unpacker.unconsumed_tail
                        continue
                data = file.read(AT_ONCE)
            length += 0 if unpacker is None else len(unpacker.flush())
        except zlib.error:
            return False
        return 0 < expected == length and (unpacker is None or unpacker.eof)
