"""Volumes: how one is known, what is told of it, and the parts that its voxels travel in.

A volume is known by the SHA-256 of what follows, in hexadecimal. The voxels enter part by part, so that parts can be
hashed side by side, and each as soon as it arrives:

    bytes   content (little-endian)
    16      "msam volume v1\n" and a zero
    4       type of the voxels as numpy writes it, such as "<i2", filled up with zeros
    24      lengths along k, j, i (3 x uint64)
    128     voxels (i, j, k) to mm in RAS (16 x float64, row by row)
    16      DICOM modality, filled up with zeros; all zeros when unknown
    32 N    SHA-256 of each of the N parts

A part is 8 MiB of the voxels in the order [k, j, i], i fastest; the last one may be shorter. On its way it is one
Zstandard frame, or one zlib stream, of its bytes sorted by significance: the first byte of every voxel, then the second
of every voxel, and so on, which compresses better.
"""

from __future__ import annotations

import hashlib
import math
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.protocol.compression import compress_quickly, decompress
from msam.protocol.names import LARGEST_VOLUME, LONGEST_AXIS, PART_BYTES
from msam.protocol.problems import ProtocolError

TYPES = ("|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
PREAMBLE = b"msam volume v1\n\0"
LONGEST_MODALITY = 16
HASHING_THREADS = 4


@dataclass(frozen=True)
class VolumeDescription:
    """All about a volume but its voxels.

    Attributes:
        dtype: one of `TYPES`.
        shape: lengths along k, j, i.
        ijk_to_ras: voxels (i, j, k) to mm in RAS, 16 numbers, row by row.
        modality: DICOM code such as "CT"; None when unknown.
    """

    dtype: str
    shape: tuple[int, int, int]
    ijk_to_ras: tuple[float, ...]
    modality: str | None = None

    def check(self) -> None:
        """Makes sure that there can be such a volume, before memory is taken for it.

        Raises:
            ProtocolError: there cannot.
        """
        if self.dtype not in TYPES:
            raise ProtocolError(f"Voxels of the type {self.dtype!r:.20} do not travel; use one of {', '.join(TYPES)}.")
        if not all(1 <= length <= LONGEST_AXIS for length in self.shape):
            raise ProtocolError(f"A volume of {self.shape} voxels (k, j, i) cannot be: 1 to {LONGEST_AXIS} along each.")
        if self.nbytes > LARGEST_VOLUME:
            raise ProtocolError(f"A volume of {self.nbytes} bytes is too large; at most {LARGEST_VOLUME} travel.")
        if len(self.ijk_to_ras) != 16 or not all(map(math.isfinite, self.ijk_to_ras)):
            raise ProtocolError("The geometry of a volume is 16 finite numbers, row by row.")
        modality = self.modality
        if modality is not None and not (modality.isascii() and 0 < len(modality) <= LONGEST_MODALITY):
            raise ProtocolError(f"A modality is a DICOM code such as CT, at most {LONGEST_MODALITY} plain characters.")

    @property
    def itemsize(self) -> int:
        """Bytes of one voxel."""
        return int(self.dtype[2:])

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels."""
        return math.prod(self.shape) * self.itemsize

    @property
    def parts(self) -> int:
        """Number of parts."""
        return -(-self.nbytes // PART_BYTES)

    def part_length(self, part: int) -> int:
        """Bytes of a part, not compressed.

        Raises:
            ProtocolError: there is no such part.
        """
        if not 0 <= part < self.parts:
            raise ProtocolError(f"The volume has the parts 0 to {self.parts - 1}; {part} is none of them.")
        return min(PART_BYTES, self.nbytes - part * PART_BYTES)

    def array(self, buffer: Any) -> npt.NDArray[Any]:
        """The voxels (K, J, I) that lie in a buffer of `nbytes` bytes, not copied."""
        return np.frombuffer(buffer, self.dtype, count=math.prod(self.shape)).reshape(self.shape)


def describe(
    voxels: npt.NDArray[Any], ijk_to_ras: npt.ArrayLike, modality: str | None = None
) -> tuple[VolumeDescription, memoryview]:
    """What is told of a volume, and its bytes as they travel: not copied unless they lie otherwise in memory.

    Raises:
        ProtocolError: such a volume does not travel.
    """
    if voxels.ndim != 3:
        raise ProtocolError(f"A volume has three dimensions; this array has {voxels.ndim}.")
    numbers = voxels.view(np.uint8) if voxels.dtype == np.bool_ else voxels
    little = np.ascontiguousarray(numbers, dtype=numbers.dtype.newbyteorder("<"))
    k, j, i = little.shape
    # Adding zero turns a negative zero into zero: they are the same place.
    matrix = tuple(float(value) + 0.0 for value in np.asarray(ijk_to_ras, dtype=np.float64).ravel())
    description = VolumeDescription(little.dtype.str, (k, j, i), matrix, modality)
    description.check()
    return description, memoryview(little.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def digests(description: VolumeDescription, data: memoryview) -> list[bytes]:
    """The SHA-256 of each part, several at a time."""
    with ThreadPoolExecutor(HASHING_THREADS) as threads:
        return list(threads.map(lambda part: hashlib.sha256(cut(description, data, part)).digest(), _all(description)))


def identity(description: VolumeDescription, parts: list[bytes]) -> str:
    """What a volume is known by.

    Args:
        description: of the volume.
        parts: the SHA-256 of each part.
    """
    whole = hashlib.sha256(PREAMBLE)
    whole.update(struct.pack("<4s3Q16d", description.dtype.encode(), *description.shape, *description.ijk_to_ras))
    whole.update(struct.pack(f"<{LONGEST_MODALITY}s", (description.modality or "").encode()))
    whole.update(b"".join(parts))
    return whole.hexdigest()


def cut(description: VolumeDescription, data: memoryview, part: int) -> memoryview:
    """The bytes of a part, not copied.

    Raises:
        ProtocolError: there is no such part.
    """
    return data[part * PART_BYTES :][: description.part_length(part)]


def pack_part(description: VolumeDescription, data: memoryview, part: int) -> bytes:
    """A part as it travels."""
    sorted_bytes = np.frombuffer(cut(description, data, part), np.uint8).reshape(-1, description.itemsize).T
    return compress_quickly(sorted_bytes.tobytes())


def unpack_part(description: VolumeDescription, part: int, packed: bytes | memoryview) -> bytes:
    """The bytes of a part that has arrived.

    Raises:
        ProtocolError: there is no such part, or it is damaged.
    """
    content = decompress(packed, description.part_length(part), f"Part {part} of the volume")
    return np.frombuffer(content, np.uint8).reshape(description.itemsize, -1).T.tobytes()


def _all(description: VolumeDescription) -> range:
    return range(description.parts)
