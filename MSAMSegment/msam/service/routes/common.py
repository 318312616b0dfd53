"""What the handlers have in common."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Path, Request

from msam.access import origin
from msam.protocol.names import CLIENT_HEADER, JSON, NAME, VOLUME_ID
from msam.service.body import Bodies
from msam.service.engine import Engine
from msam.service.fair_queue import Caller

VolumeName = Annotated[str, Path(pattern=f"^{VOLUME_ID.pattern}$", description="What the volume is known by.")]
PartNumber = Annotated[int, Path(ge=0, le=1 << 20, description="Number of the part, from 0.")]
Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]


def engine_of(request: Request) -> Engine:
    """The engine behind a request."""
    engine: Engine = request.app.state.engine
    return engine


def bodies_of(request: Request) -> Bodies:
    """What reads the bodies of requests."""
    bodies: Bodies = request.app.state.bodies
    return bodies


def caller_of(request: Request) -> Caller:
    """Whose turn a request takes: where it comes from, and the name that a client gave itself."""
    named = request.headers.get(CLIENT_HEADER, "")
    address = request.client.host if request.client else "unknown"
    return Caller(origin(address), named if re.fullmatch(NAME, named) else "")


def body(content_type: str, schema: dict[str, Any], words: str) -> dict[str, Any]:
    """How the description shows the body of a request, which the handlers read by themselves."""
    content = {content_type: {"schema": schema}}
    return {"requestBody": {"required": True, "description": words, "content": content}}


def binary_reply(words: str, content_type: str = JSON) -> dict[int | str, dict[str, Any]]:
    """How the description shows an answer that is not JSON."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": words, "content": {content_type: {"schema": schema}}}}
