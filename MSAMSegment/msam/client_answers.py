"""What a client makes of the answers of an engine, and of none."""

from __future__ import annotations

import ssl

import httpx

from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol import records
from msam.protocol.names import KEY_VARIABLE, LARGEST_REPLY, RETRY_AFTER, Code
from msam.protocol.problems import Problem, ProtocolError, ServiceError, error_of, from_in_front

# The longest that an engine, or something in front of it, may make a client wait before it asks again.
LONGEST_PAUSE = 5.0


def content_of(answer: httpx.Response) -> bytes:
    """The body of an answer that is still coming.

    Raises:
        ProtocolError: it is longer than any reply; no more of it is kept than that.
        httpx.TransportError: it stopped coming.
    """
    announced = answer.headers.get("Content-Length", "0")
    if announced.isdecimal() and int(announced[:20]) > LARGEST_REPLY:
        raise _too_long(answer)
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > LARGEST_REPLY:
            raise _too_long(answer)
    return bytes(content)


def error_in(answer: httpx.Response, content: bytes, endpoint: Endpoint) -> MsamError:
    """What an answer that is not 2xx means."""
    try:
        problem = records.decode(Problem, content)
    except ProtocolError:
        words = f"What answers at {answer.url.host} is no engine: it says {answer.status_code}."
        return from_in_front(answer.status_code) or ServiceError(words)
    if problem.code == Code.UNAUTHORISED:
        return ServiceError(
            f"The engine at {endpoint.url} wants another key than it was shown. Give its own one: on the command line "
            f"with --engine-key FILE or in the variable {KEY_VARIABLE}, in Python as the token of the Endpoint.",
            Code.UNAUTHORISED,
        )
    return error_of(problem)


def pause_after(answer: httpx.Response) -> float:
    """Seconds after which an answer wants to be asked for again; 0 when it does not say."""
    said = answer.headers.get(RETRY_AFTER, "")
    # It may be a date as well, which no engine sends.
    return min(float(said[:5]), LONGEST_PAUSE) if said.isascii() and said.isdecimal() else 0.0


def unreachable(endpoint: Endpoint, why: str) -> ServiceError:
    """No answer came; `why` may be a sentence of httpx, with or without its full stop."""
    return ServiceError(
        f"The engine at {endpoint.url} cannot be reached: {why.rstrip('.')}. Check that it runs and that the address, "
        "https or http included, is right."
    )


def distrusted(endpoint: Endpoint, error: BaseException) -> ServiceError | None:
    """What is said where a connection failed because of the engine's certificate; None where it was something else."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    return ServiceError(
        f"The certificate of the engine at {endpoint.url} is not trusted: {cause.verify_message}. Nothing was sent. "
        "If it is the right engine, name the file of the certificate, or of whoever issued it: on the command line "
        "with --engine-certificates FILE, in Python as the certificates of the Endpoint."
    )


def trusted(certificates: str | None) -> ssl.SSLContext:
    """Which certificates are trusted.

    Args:
        certificates: a file of them in PEM form; None for the system's.

    Raises:
        ServiceError: the file cannot be read, or holds none.
    """
    try:
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:  # that of TLS is one of them
        raise ServiceError(
            f"There are no certificates to trust in {certificates} ({error.strerror or error}). "
            "Give a file of certificates in PEM form."
        ) from error


def _too_long(answer: httpx.Response) -> ProtocolError:
    return ProtocolError(
        f"What answers at {answer.url.host} sent more than the {LARGEST_REPLY >> 20} MiB that a reply can have. "
        "Check that it is an engine, of the same release."
    )
