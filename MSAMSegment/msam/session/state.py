"""Where a session stands after a step: enough for another process to go on from it."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.config import ModelConfig
from msam.errors import StateError
from msam.region import Region
from msam.session.prompts import Point, digest
from msam.session.zoom import ladder
from msam.volume import Volume

# Layout: magic (4 bytes), version (2), length of the header (4), header (JSON), logits (float16, zlib).
MAGIC = b"MSAM"
VERSION = 1
PREFIX = struct.Struct("<4sHI")
LONGEST_HEADER = 1 << 14
LARGEST_GRID = 256
# Room for what zlib adds to data that cannot be compressed.
OVERHEAD = 1 << 10
# Of fine logits, which are eight times as many: a third of the bytes, and a border that moves by a thirtieth of a voxel
# at most. The network bounds what it is handed of them (`PromptEncoder.maps`), so that it sees no difference.
DIGITS_OF_FINE_LOGITS = 5

START_AGAIN = "Segment again from the points."


@dataclass(frozen=True, eq=False)
class State:
    """The last decoding step, and which points led to it.

    Attributes:
        model: name of the configuration that made the logits.
        region: where the logits lie.
        logits: (m, m, m) float16, in the order R, A, S. The session itself goes on from these rounded values, so that
            a process that was handed the bytes computes exactly the same.
        consumed: how many points have been decoded: the first so many of all.
        fingerprint: of these points (`prompts.digest`). Points that have changed since do not fit it.
        quality: predicted intersection over union, 0 to 1.
        reference: intensity of the clicked tissue, for models that are normalised to it.
        lattice: for objects larger than one region, the window that all others are counted from, so that the windows
            of the next step are the same ones.
    """

    model: str
    region: Region
    logits: npt.NDArray[np.float16]
    consumed: int
    fingerprint: str
    quality: float
    reference: float | None
    lattice: Region | None = None

    def leads_to(self, points: Sequence[Point]) -> bool:
        """Whether these points are the ones decoded so far, perhaps followed by new ones."""
        return len(points) >= self.consumed and digest(points[: self.consumed]) == self.fingerprint

    def check(self, volume: Volume, config: ModelConfig) -> None:
        """Makes sure that a model can go on from this state in a volume.

        Raises:
            StateError: it was made by another model, or for another volume.
        """
        sizes = (self.region.size, len(self.logits))
        if self.model == config.name and sizes != (config.roi_size, config.mask_size):
            raise StateError(f"The state was made by another version of the model '{self.model}'. {START_AGAIN}")
        if self.model != config.name:
            raise StateError(
                f"The state was made by the model '{self.model}', not by '{config.name}', which is loaded now. "
                f"{START_AGAIN}"
            )
        for region in (self.region, self.lattice or self.region):
            if not _within_reach(volume, config, region):
                raise StateError(f"The state was made for another volume. {START_AGAIN}")

    def to_bytes(self) -> bytes:
        """The state as bytes; the logits compressed."""
        header = {
            "model": self.model,
            "grid": len(self.logits),
            "region": self.region.to_dict(),
            "consumed": self.consumed,
            "fingerprint": self.fingerprint,
            "quality": self.quality,
            "reference": self.reference,
            "lattice": self.lattice and self.lattice.to_dict(),
        }
        text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
        logits = np.ascontiguousarray(self.logits, dtype="<f2").tobytes()
        return PREFIX.pack(MAGIC, VERSION, len(text)) + text + zlib.compress(logits)

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """The state that `to_bytes` gave.

        The bytes may come from anywhere: every length is checked before memory is taken for it.

        Raises:
            StateError: they are damaged, or of another version.
        """
        if len(data) < PREFIX.size:
            raise StateError(f"The state is too short ({len(data)} bytes). {START_AGAIN}")
        magic, version, header_length = PREFIX.unpack_from(data)
        if magic != MAGIC:
            raise StateError(f"These bytes are not the state of a session. {START_AGAIN}")
        if version != VERSION:
            raise StateError(f"The state has the version {version}; this engine reads {VERSION}. {START_AGAIN}")
        body = PREFIX.size + header_length
        if header_length > LONGEST_HEADER or body > len(data):
            raise StateError(f"The header of the state is damaged. {START_AGAIN}")
        try:
            header = json.loads(data[PREFIX.size : body])
            grid = _whole(header["grid"])
            if not 1 <= grid <= LARGEST_GRID:
                raise ValueError("grid")
            return cls(
                model=_text(header["model"]),
                region=Region.from_dict(header["region"]),
                logits=_logits(data[body:], grid),
                consumed=_whole(header["consumed"]),
                fingerprint=_text(header["fingerprint"]),
                quality=_number(header["quality"]),
                reference=None if header["reference"] is None else _number(header["reference"]),
                lattice=None if header["lattice"] is None else Region.from_dict(header["lattice"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError, zlib.error) as error:
            raise StateError(f"The state is damaged. {START_AGAIN}") from error


def rounded(logits: npt.NDArray[np.floating[Any]], digits: int | None = None) -> npt.NDArray[np.float16]:
    """Logits as a state keeps them: float16, within its range.

    Args:
        logits: of any shape.
        digits: binary ones to keep, the leading one included; None for all that float16 has. Signs are always kept.
    """
    largest = float(np.finfo(np.float16).max)
    if digits is not None:
        fraction, exponent = np.frexp(logits)
        logits = np.ldexp(np.round(np.ldexp(fraction, digits)), exponent - digits)
    half: npt.NDArray[np.float16] = np.clip(logits, -largest, largest).astype(np.float16)
    half.setflags(write=False)
    return half


def _within_reach(volume: Volume, config: ModelConfig, region: Region) -> bool:
    """Whether a session in this volume could have made the region."""
    width = region.size if region.spacing is None else region.size * region.spacing / volume.spacing
    offsets = np.asarray(region.centre)
    near = ((offsets >= -width) & (offsets <= np.asarray(volume.shape_ijk) + width)).all()
    return bool(near) and region.size == config.roi_size and region.spacing in ladder(volume, config)


def _logits(compressed: bytes, grid: int) -> npt.NDArray[np.float16]:
    length = 2 * grid**3
    if len(compressed) > length + length // 100 + OVERHEAD:
        raise ValueError("more bytes than the logits can need")
    inflate = zlib.decompressobj()
    raw = inflate.decompress(compressed, length)
    # One byte more than wanted, or anything after the end, means that these are not the logits announced.
    surplus = inflate.decompress(inflate.unconsumed_tail, 1)
    if len(raw) != length or surplus or not inflate.eof or inflate.unused_data:
        raise ValueError("length of the logits")
    logits: npt.NDArray[np.float16] = np.frombuffer(raw, dtype="<f2").astype(np.float16).reshape(grid, grid, grid)
    if not np.isfinite(logits).all():
        raise ValueError("logits that are no finite numbers")
    logits.setflags(write=False)
    return logits


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is something else")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a count is something else")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a number is something else")
    return float(value)
