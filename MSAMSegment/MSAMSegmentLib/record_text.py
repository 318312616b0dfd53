"""Records of segments as text: JSON in plain ASCII without `|`."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from msam.protocol.masks import EMPTY, Mask, shape_kji
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.segment_record import Base, SegmentRecord

VERSION = 1
# No voxel lies farther from the origin of a segmentation's grid.
FARTHEST = 1 << 20


def pointsText(points: Sequence[Point]) -> str:
    """Clicks as JSON that people can read."""
    return _text([_plain(point) for point in points])


def readPoints(text: str) -> tuple[Point, ...]:
    """The clicks of `pointsText`.

    Raises:
        ValueError: the text is something else.
    """
    return _points(_parsed(text, list), lowest=1)


def stateText(record: SegmentRecord) -> str:
    """All of a record but its clicks, as JSON with base64."""
    base = record.base
    return _text(
        {
            "version": VERSION,
            "lastIdentifier": record.nextIdentifier - 1,
            "answered": [_plain(point) for point in record.answered],
            "quality": record.quality,
            "volume": record.volumeIdentity,
            "state": _base64(record.state),
            "base": base
            and {
                "box": base.mask.box,
                "bits": _base64(_packed(base.mask)),
                "seen": [_plain(point) for point in base.seen],
                "state": _base64(base.state),
            },
        }
    )


def readState(text: str) -> SegmentRecord:
    """The record of `stateText`, without clicks.

    Raises:
        ValueError: the text is something else, damaged, or of a later version.
    """
    values = _parsed(text, dict)
    try:
        if values["version"] != VERSION:
            raise ValueError("another version")
        quality, base, last = values["quality"], values["base"], values["lastIdentifier"]
        return SegmentRecord(
            state=_bytes(values["state"]),
            quality=None if quality is None else _number(quality),
            base=None if base is None else Base(_mask(base), _points(base["seen"], lowest=1), _bytes(base["state"])),
            answered=_points(values["answered"], lowest=0),
            volumeIdentity=_checked(values["volume"], str),
            lastIdentifier=_checked(last, int),
        )
    except (KeyError, TypeError, zlib.error, OverflowError) as error:
        raise ValueError("not a record") from error


def _text(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("|", "\\u007c")


def _parsed(text: str, kind: type) -> Any:
    try:
        return _checked(json.loads(text), kind)
    except RecursionError as error:
        raise ValueError("nested without end") from error


def _plain(point: Point) -> dict[str, Any]:
    return {"id": point.identifier, "ijk": point.positionIjk, "positive": point.positive}


def _points(values: Any, lowest: int) -> tuple[Point, ...]:
    points = []
    for value in _checked(values, list):
        value = _checked(value, dict)
        try:
            identifier, place, positive = value["id"], value["ijk"], value["positive"]
        except KeyError as error:
            raise ValueError("not a click") from error
        i, j, k = (_number(number) for number in _checked(place, list))
        points.append(Point(_checked(identifier, int), (i, j, k), _checked(positive, bool)))
    identifiers = [point.identifier for point in points]
    if len(set(identifiers)) < len(points) or min(identifiers, default=lowest) < lowest:
        raise ValueError("identifiers that cannot be")
    return tuple(points)


def _packed(mask: Mask) -> bytes:
    return zlib.compress(np.packbits(mask.voxels).tobytes()) if mask.voxels.size else b""


def _mask(base: dict[str, Any]) -> Mask:
    i, j, k = ((_checked(start, int), _checked(stop, int)) for start, stop in _checked(base["box"], list))
    if not all(-FARTHEST <= start <= stop <= FARTHEST for start, stop in (i, j, k)):
        raise ValueError("a box that cannot be")
    shape = shape_kji((i, j, k))
    count = math.prod(shape)
    if not count:
        return EMPTY
    length = -(-count // 8)
    bits = zlib.decompressobj().decompress(_bytes(base["bits"]), length + 1)
    if len(bits) != length:
        raise ValueError("bits that do not fill their box")
    return Mask((i, j, k), np.unpackbits(np.frombuffer(bits, np.uint8), count=count).view(np.bool_).reshape(shape))


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{type(value).__name__} in the place of {kind.__name__}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= FARTHEST:
        raise ValueError("not a number that can be")
    return float(value)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: Any) -> bytes:
    return base64.b64decode(_checked(text, str), validate=True)
