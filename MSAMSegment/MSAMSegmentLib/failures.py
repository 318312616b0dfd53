"""Why there was no answer: the same cases from every transport, and what is said of them."""

from __future__ import annotations

from enum import StrEnum, auto

from MSAMSegmentLib.translation import tr as _


class Failure(StrEnum):
    """What `transport.Answer.failure` says; `words` and `advice` are for people."""

    NO_SUCH_ADDRESS = auto()
    NOTHING_LISTENS = auto()
    NOT_TRUSTED = auto()
    NO_ENCRYPTION = auto()
    TOO_SLOW = auto()
    LOST = auto()
    UNREACHABLE = auto()
    NO_CERTIFICATES = auto()


WORDS: dict[str, str] = {
    Failure.NO_SUCH_ADDRESS: _("there is no computer of that name"),
    Failure.NOTHING_LISTENS: _("nothing listens at that address"),
    Failure.NOT_TRUSTED: _("its certificate is not trusted"),
    Failure.NO_ENCRYPTION: _("it does not speak https"),
    Failure.TOO_SLOW: _("it does not answer in time"),
    Failure.LOST: _("the connection broke"),
    Failure.UNREACHABLE: _("the network does not lead there"),
    Failure.NO_CERTIFICATES: _("the file of the certificates to trust cannot be read"),
}

ADVICE: dict[str, str] = {
    Failure.NO_SUCH_ADDRESS: _("Check the spelling of the address."),
    Failure.NOTHING_LISTENS: _("Check the port, and that the engine runs there."),
    Failure.NOT_TRUSTED: _("Give the file of its certificate, or of the authority that signed it, in the settings."),
    Failure.NO_ENCRYPTION: _("Check the port, and whether the engine was started with a certificate."),
    Failure.TOO_SLOW: _("Check that the network leads there and that no firewall is in between."),
    Failure.LOST: _("Try again; if it happens again, look at the log of the engine."),
    Failure.UNREACHABLE: _("Check the network of this computer."),
    Failure.NO_CERTIFICATES: _("Choose another file in the settings."),
}


def words(failure: str) -> str:
    """Why there was no answer, as the end of a sentence without its full stop."""
    return WORDS.get(failure, _("it does not answer"))


def advice(failure: str) -> str:
    """What a user can do about it."""
    return ADVICE.get(failure, _("Check the address and the network."))
