"""Why there was no answer: the same words from every transport, so that the cases can be told apart."""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """What `transport.Answer.failure` says, as the end of a sentence without its full stop."""

    NO_SUCH_ADDRESS = "there is no computer of that name"
    NOTHING_LISTENS = "nothing listens at that address"
    NOT_TRUSTED = "its certificate is not trusted"
    NO_ENCRYPTION = "it does not speak https"
    TOO_SLOW = "it does not answer in time"
    LOST = "the connection broke"
    UNREACHABLE = "the network does not lead there"
    NO_CERTIFICATES = "the file of the certificates to trust cannot be read"


ADVICE = {
    Failure.NO_SUCH_ADDRESS: "Check the spelling of the address.",
    Failure.NOTHING_LISTENS: "Check the port, and that the engine runs there.",
    Failure.NOT_TRUSTED: "Give the file of its certificate, or of the authority that signed it, in the settings.",
    Failure.NO_ENCRYPTION: "Check the port, and whether the engine was started with a certificate.",
    Failure.TOO_SLOW: "Check that the network leads there and that no firewall is in between.",
    Failure.LOST: "Try again; if it happens again, look at the log of the engine.",
    Failure.UNREACHABLE: "Check the network of this computer.",
    Failure.NO_CERTIFICATES: "Choose another file in the settings.",
}


def advice(failure: str) -> str:
    """What a user can do about it."""
    return ADVICE.get(failure, "Check the address and the network.")  # type: ignore[call-overload, no-any-return]
