"""What a service can be started with."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True)
class Settings:
    """How a service runs.

    Attributes:
        token: what clients have to show; None lets everybody in (tests, in one process).
        model: used when a request names none: a model's name or, given by whoever starts the service, a file.
        devices: one inference thread each; "auto" for the best there is.
        shares_memory: volumes may be handed over in memory. Only for the child of the one process that knows the token.
        volume_bytes: of all volumes together, those on their way included.
        embedding_bytes: of embeddings, on each device.
        idle_seconds: after which a volume that nobody asks for is dropped.
        most_models: loaded at a time on each device.
        most_waiting: runs that wait for a device, of all clients together.
        most_waiting_per_address: the same of one address, which a hospital may share.
        most_waiting_per_client: the same of one client.
        body_seconds: without a byte, after which a request is given up.
    """

    token: str | None = None
    model: str | None = None
    devices: tuple[str, ...] = ("auto",)
    shares_memory: bool = False
    volume_bytes: int = 8 * GIB
    embedding_bytes: int = GIB
    idle_seconds: float = 3600.0
    most_models: int = 2
    most_waiting: int = 64
    most_waiting_per_address: int = 32
    most_waiting_per_client: int = 8
    body_seconds: float = 30.0
