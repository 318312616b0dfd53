"""Everything that travels as JSON. `records.encode` writes these, `records.decode` reads and checks them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """What the service holds, in bytes. Numbers that the machine does not tell are null."""

    process: int | None
    volumes: int
    volumes_limit: int
    embeddings: int
    embeddings_limit: int
    device_free: int | None = None
    device_total: int | None = None


@dataclass(frozen=True)
class Health:
    """The answer to GET health.

    Attributes:
        protocol: version of the protocol.
        version: of the software.
        model: what is used when a request names none; null when nothing was chosen.
        devices: where models run; empty until that is known, moments after the start.
        shared_memory: whether volumes can be handed over in memory.
        waiting: runs that wait for a device.
        volumes: how many are held.
    """

    protocol: int
    version: str
    model: str | None
    devices: tuple[str, ...]
    shared_memory: bool
    waiting: int
    volumes: int
    memory: Memory


@dataclass(frozen=True)
class ModelStatus:
    """One model.

    Attributes:
        state: "available", "loading", "loaded" or "failed".
        fraction: how much of the loading is done, 0 to 1.
        words: what is being done, or why it failed.
    """

    name: str
    description: str
    licence: str
    size: int
    state: str
    fraction: float
    words: str


@dataclass(frozen=True)
class Models:
    """The answer to GET models."""

    models: tuple[ModelStatus, ...]


@dataclass(frozen=True)
class UploadStatus:
    """How far a volume has arrived.

    Attributes:
        complete: it is there and can be segmented.
        missing: the parts still to be sent.
    """

    complete: bool
    missing: tuple[int, ...]


@dataclass(frozen=True)
class SharedVolume:
    """A volume that lies in memory which both sides can see.

    Attributes:
        address: from `msam.shared_memory`.
        dtype, shape, ijk_to_ras, modality: as in `volumes.VolumeDescription`.
    """

    address: str
    dtype: str
    shape: tuple[int, int, int]
    ijk_to_ras: tuple[float, ...]
    modality: str | None = None


@dataclass(frozen=True)
class RunStatus:
    """A step that has not been answered yet.

    Attributes:
        state: "waiting", "running" or "cancelled".
        fraction: done, 0 to 1.
        words: what is being done.
        ahead: how many runs of all clients come before it.
    """

    state: str
    fraction: float
    words: str
    ahead: int
