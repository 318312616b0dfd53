"""What goes wrong between a client and the service."""

from __future__ import annotations

from dataclasses import dataclass

from msam.errors import Cancelled, CheckpointError, DeviceError, MsamError, PromptError, StateError, VolumeError
from msam.protocol.names import LARGEST_REQUEST, LONGEST_TEXT, Code


class ProtocolError(MsamError):
    """A message that cannot be read: cut off, damaged, too large, or not what was expected."""


class ServiceError(MsamError):
    """What a service answered instead of doing what it was asked for, or why it could not be reached.

    Attributes:
        code: what it is; None when there was no answer.
    """

    def __init__(self, message: str, code: Code | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Problem:
    """The body of every answer that is not 2xx, as JSON.

    Attributes:
        code: one of `names.Code`.
        message: what is wrong and what to do, for people.
    """

    code: str
    message: str


# Errors of the engine, with the code they travel under. The first class that fits counts.
_CODES: tuple[tuple[type[MsamError], Code], ...] = (
    (ProtocolError, Code.MALFORMED),
    (PromptError, Code.PROMPT_UNUSABLE),
    (StateError, Code.STATE_UNUSABLE),
    (VolumeError, Code.VOLUME_UNUSABLE),
    (CheckpointError, Code.MODEL_UNUSABLE),
    (DeviceError, Code.MODEL_UNUSABLE),
    (Cancelled, Code.CANCELLED),
)


def problem_of(error: MsamError) -> Problem:
    """How an error of the engine travels."""
    if isinstance(error, ServiceError):
        code = error.code or Code.INTERNAL
    else:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), Code.INTERNAL)
    return Problem(code, str(error)[:LONGEST_TEXT])


def error_of(problem: Problem) -> MsamError:
    """The error that a problem stands for, the same class as in the process where it arose."""
    try:
        code = Code(problem.code)
    except ValueError:
        return ServiceError(problem.message)
    kind = next((kind for kind, known in _CODES if known == code), None)
    return ServiceError(problem.message, code) if kind is None else kind(problem.message)


def from_in_front(status: int) -> ServiceError | None:
    """What an answer without a problem in it means that a proxy in front of an engine gives; None for any other.

    The server below the service answers 503 as well, where too many are connected.
    """
    if status in (502, 503, 504):
        return ServiceError(
            f"The engine cannot be had at the moment: it is being started, or has too much to do (HTTP {status}).",
            Code.BUSY,
        )
    if status == Code.TOO_LARGE.status:
        return ServiceError(
            f"Something in front of the engine lets no requests of {LARGEST_REQUEST >> 20} MiB through "
            f"(HTTP {status}). Its administrator has to allow them.",
            Code.TOO_LARGE,
        )
    return None
