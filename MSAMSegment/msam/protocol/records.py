"""Records as JSON: written from dataclasses, and read into them with every type checked."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from msam.protocol.names import LARGEST_JSON
from msam.protocol.problems import ProtocolError

Record = TypeVar("Record")


def encode(record: Any) -> bytes:
    """A dataclass of texts, numbers, tuples, dictionaries and other such dataclasses as JSON in UTF-8."""
    return json.dumps(dataclasses.asdict(record), allow_nan=False, separators=(",", ":")).encode()


def decode(kind: type[Record], data: bytes, limit: int = LARGEST_JSON) -> Record:
    """The record of a kind that JSON holds. Fields that this version does not know are left aside.

    Raises:
        ProtocolError: it is too long, no JSON, lacks a field, or a field has another type.
    """
    if len(data) > limit:
        raise ProtocolError(f"The message has {len(data)} bytes of JSON; at most {limit} are read.")
    try:
        return typing.cast(Record, _read(kind, json.loads(data, parse_constant=_refuse), kind.__name__))
    except ValueError as error:
        raise ProtocolError("The message is not JSON in UTF-8.") from error
    except RecursionError as error:
        # What can just be read may still be nested too deeply to be shown in a complaint.
        raise ProtocolError("The message is nested too deeply.") from error


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _read(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_record(kind, value, where)
    origin = get_origin(kind)
    if origin is types.UnionType:  # X | None is the only union in use
        return None if value is None else _read(get_args(kind)[0], value, where)
    if origin is tuple:
        return _read_tuple(get_args(kind), value, where)
    if origin is dict and isinstance(value, dict):
        return {key: _read(get_args(kind)[1], entry, f"{where}.{key:.40}") for key, entry in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        number = _as_float(value)
        if math.isfinite(number):
            return number
    elif isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ProtocolError(f"The field {where} of the message is {_shown(value)}, which it cannot be.")


def _read_record(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ProtocolError(f"The message has {_shown(value)} where the fields of {where} belong.")
    hints, given = _hints(kind), {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            given[field.name] = _read(hints[field.name], value[field.name], f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING:
            raise ProtocolError(f"The message lacks the field {where}.{field.name}.")
    return kind(**given)


def _read_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or (kinds[-1] is not ... and len(value) != len(kinds)):
        raise ProtocolError(f"The field {where} of the message is {_shown(value)}, which it cannot be.")
    each = [kinds[0]] * len(value) if kinds[-1] is ... else kinds
    return tuple(_read(kind, entry, f"{where}[{at}]") for at, (kind, entry) in enumerate(zip(each, value, strict=True)))


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
