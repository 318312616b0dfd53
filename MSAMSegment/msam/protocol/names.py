"""Every path, header, code and limit of the protocol, and its version. Nothing else names them."""

from __future__ import annotations

import re
from enum import StrEnum

VERSION = 1

# Paths. Those with a name in braces are templates; `path` fills them in.
HEALTH = "/v1/health"
METRICS = "/v1/metrics"
DESCRIPTION = "/v1/openapi.json"
PAGES = "/v1/docs"
MODELS = "/v1/models"
MODEL = "/v1/models/{model}"
VOLUME = "/v1/volumes/{volume}"
VOLUME_PART = "/v1/volumes/{volume}/parts/{part}"
VOLUME_SHARED = "/v1/volumes/{volume}/shared"
SEGMENT = "/v1/segment"
RUN = "/v1/runs/{run}"

# What can be read without a token: nothing that was sent to the service.
OPEN_PATHS = (DESCRIPTION, PAGES)

# Headers.
AUTHORISATION = "Authorization"
BEARER = "Bearer "
VERSION_HEADER = "X-MSAM-Protocol"
CLIENT_HEADER = "X-MSAM-Client"
RETRY_AFTER = "Retry-After"

# Types of contents.
JSON = "application/json"
BINARY = "application/octet-stream"

# What identifies things: a volume by 64 hexadecimal digits; runs, clients and models by short plain texts.
VOLUME_ID = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# Limits, in bytes unless they say otherwise. A service may be started with lower ones for volumes.
PART_BYTES = 8 << 20
LARGEST_VOLUME = 8 << 30
LONGEST_AXIS = 1 << 14  # voxels
LARGEST_JSON = 64 << 10
LARGEST_STATE = 4 << 20
LARGEST_PACKED_MASK = 16 << 20
LARGEST_REQUEST = LARGEST_STATE + LARGEST_PACKED_MASK + LARGEST_JSON
LARGEST_REPLY = LARGEST_REQUEST
MOST_POINTS = 256
MOST_ITERATIONS = 100
LONGEST_TEXT = 2000  # characters of a message

# Variables of the environment.
KEY_VARIABLE = "MSAM_API_KEY"


class Code(StrEnum):
    """What went wrong, for programs. Every answer that is not 2xx carries one (`problems.Problem`)."""

    UNAUTHORISED = "unauthorised"
    WRONG_HOST = "wrong-host"
    VERSION_MISMATCH = "version-mismatch"
    NOT_FOUND = "not-found"
    WRONG_METHOD = "wrong-method"
    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    VOLUME_UNKNOWN = "volume-unknown"
    VOLUME_UNUSABLE = "volume-unusable"
    MODEL_UNKNOWN = "model-unknown"
    MODEL_UNUSABLE = "model-unusable"
    PROMPT_UNUSABLE = "prompt-unusable"
    STATE_UNUSABLE = "state-unusable"
    RUN_UNKNOWN = "run-unknown"
    CANCELLED = "cancelled"
    BUSY = "busy"
    OUT_OF_MEMORY = "out-of-memory"
    STOPPING = "stopping"
    INTERNAL = "internal"

    @property
    def status(self) -> int:
        """The status of an HTTP answer with this code."""
        return _STATUS[self]

    @property
    def worth_a_retry(self) -> bool:
        """Whether the same request can succeed a little later."""
        return self in (Code.BUSY, Code.OUT_OF_MEMORY, Code.STOPPING)


_STATUS = {
    Code.UNAUTHORISED: 401,
    Code.WRONG_HOST: 421,
    Code.VERSION_MISMATCH: 400,
    Code.NOT_FOUND: 404,
    Code.WRONG_METHOD: 405,
    Code.MALFORMED: 400,
    Code.TOO_LARGE: 413,
    Code.TOO_SLOW: 408,
    Code.VOLUME_UNKNOWN: 404,
    Code.VOLUME_UNUSABLE: 422,
    Code.MODEL_UNKNOWN: 404,
    Code.MODEL_UNUSABLE: 503,
    Code.PROMPT_UNUSABLE: 422,
    Code.STATE_UNUSABLE: 409,
    Code.RUN_UNKNOWN: 404,
    Code.CANCELLED: 409,
    Code.BUSY: 503,
    Code.OUT_OF_MEMORY: 503,
    Code.STOPPING: 503,
    Code.INTERNAL: 500,
}


def path(template: str, **values: str | int) -> str:
    """A template with its names filled in: `path(VOLUME, volume=identity)`."""
    return template.format(**values)
