"""Where an engine is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """All that a client needs to reach an engine.

    Attributes:
        url: without a path.
        token: to be shown; None where none is asked for.
        shares_memory: volumes can be handed over in memory.
        certificates: file of the certificates to trust, in PEM form; None for the system's.
    """

    url: str
    token: str | None = None
    shares_memory: bool = False
    certificates: str | None = None
