"""Answers of the service."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from msam.errors import MsamError
from msam.protocol import records
from msam.protocol.names import BINARY, JSON, RETRY_AFTER, Code
from msam.protocol.problems import Problem, problem_of

RETRY_SECONDS = 1
# What the description says of every path.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "What is wrong, with a code of the protocol."}
}


def json(record: Any, status: int = 200) -> Response:
    """A record of the protocol."""
    return Response(records.encode(record), status, media_type=JSON)


def binary(message: bytes) -> Response:
    """A binary message of the protocol."""
    return Response(message, media_type=BINARY)


def problem(code: Code, message: str) -> Response:
    """What went wrong."""
    response = json(Problem(code, message), code.status)
    if code.worth_a_retry:
        response.headers[RETRY_AFTER] = str(RETRY_SECONDS)
    if code == Code.UNAUTHORISED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def refusal(error: MsamError) -> Response:
    """What went wrong, from an error that says it."""
    found = problem_of(error)
    return problem(Code(found.code), found.message)
