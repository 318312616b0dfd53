"""Requests to an engine, and what its answers mean."""

from __future__ import annotations

import uuid
from typing import TypeVar
from urllib.parse import urlsplit

from msam.access import is_loopback
from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol import names, records
from msam.protocol.messages import Health
from msam.protocol.names import VERSION, Code
from msam.protocol.problems import Problem, ProtocolError, ServiceError, error_of, from_in_front
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.failures import advice, words
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Answer, Request

Record = TypeVar("Record")
SHORTEST_KEY = 16
ANSWER_SECONDS = 30.0
# By which a shared engine gives every application its turn. It says nothing about who that is.
CLIENT = uuid.uuid4().hex


def hostEndpoint(url: str, key: str, certificates: str | None = None) -> Endpoint:
    """Where an engine on another computer is, from what somebody typed.

    Args:
        url: such as "https://gpu.example.org:8421"; http is for this computer alone.
        key: that the engine asks for; "" where it asks for none.
        certificates: PEM file of the certificates to trust; None for the system's.

    Raises:
        SceneError: that cannot be an address or a key; the text says what is wrong with it.
    """
    typed, secret = url.strip().rstrip("/"), key.strip()
    try:
        parts = urlsplit(typed)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise SceneError(
            _("'{address}' is not an address: {reason}.").format(address=typed[:80], reason=error)
        ) from error
    if parts.scheme not in ("http", "https") or not host:
        raise SceneError(
            _("'{address}' is not an address of an engine. One looks like https://gpu.example.org:8421.").format(
                address=typed[:80]
            )
        )
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        raise SceneError(_("The address of an engine ends with the host or the port. The key has a field of its own."))
    if parts.scheme == "http" and not is_loopback(host):
        raise SceneError(
            _(
                "http://{host} would send the scan and the key in the clear. Use https:// for an engine on another "
                "computer."
            ).format(host=host[:80])
        )
    if secret and (len(secret) < SHORTEST_KEY or not secret.isascii() or any(each.isspace() for each in secret)):
        raise SceneError(
            _("That is not the key of an engine: a key has at least {count} plain characters.").format(
                count=SHORTEST_KEY
            )
        )
    return Endpoint(typed, secret or None, False, certificates or None)


def requestTo(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: bytes = b"",
    kind: str = names.BINARY,
    seconds: float = ANSWER_SECONDS,
) -> Request:
    """A request with all the headers that an engine wants to see."""
    headers = {names.VERSION_HEADER: str(names.VERSION), names.CLIENT_HEADER: CLIENT}
    if body:
        headers["Content-Type"] = kind
    if endpoint.token is not None:
        headers[names.AUTHORISATION] = f"{names.BEARER}{endpoint.token}"
    return Request(method, f"{endpoint.url}{path}", headers, body, seconds, endpoint.certificates)


def errorIn(answer: Answer, endpoint: Endpoint) -> MsamError | None:
    """What went wrong, in words that name the case; None when nothing did."""
    if 200 <= answer.status < 300:
        return None
    if not answer.status:
        return ServiceError(
            _("The engine at {address} cannot be reached: {reason}. {advice}").format(
                address=endpoint.url, reason=words(answer.failure), advice=advice(answer.failure)
            )
        )
    # Qt may leave out what comes with this status.
    if answer.status == Code.UNAUTHORISED.status:
        refusal = (
            _("The engine at {address} asks for a key. Enter the key that its administrator gave you.")
            if endpoint.token is None
            else _("The engine at {address} does not accept the key. Enter the key that its administrator gave you.")
        )
        return ServiceError(refusal.format(address=endpoint.url), Code.UNAUTHORISED)
    try:
        return error_of(records.decode(Problem, answer.body))
    except ProtocolError:
        return from_in_front(answer.status) or notAnEngine(endpoint, answer.status)


def read(kind: type[Record], answer: Answer, endpoint: Endpoint) -> Record:
    """The record in an answer.

    Raises:
        MsamError: the engine refused, could not be reached, or is none.
    """
    error = errorIn(answer, endpoint)
    if error is not None:
        raise error
    try:
        return records.decode(kind, answer.body)
    except ProtocolError as damaged:
        raise notAnEngine(endpoint, answer.status) from damaged


def healthIn(answer: Answer, endpoint: Endpoint) -> Health:
    """What an engine says of itself.

    Raises:
        MsamError: as `read`, or it is of another version than this application.
    """
    health = read(Health, answer, endpoint)
    if health.protocol != VERSION:
        raise ServiceError(
            _(
                "The engine at {address} speaks version {theirs} of the protocol, this application version {ours}. "
                "Bring both to the same release."
            ).format(address=endpoint.url, theirs=health.protocol, ours=VERSION),
            Code.VERSION_MISMATCH,
        )
    return health


def notAnEngine(endpoint: Endpoint, status: int) -> ServiceError:
    """What is said of something else that answers."""
    return ServiceError(
        _("What answers at {address} is not an engine (it says {status}). Check the address and the port.").format(
            address=endpoint.url, status=status
        )
    )
