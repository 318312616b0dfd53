"""The volumes that are there: as many as fit, the least recently used going first, none for longer than it is idle."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from msam.protocol.messages import UploadStatus
from msam.protocol.names import Code
from msam.protocol.problems import ServiceError
from msam.protocol.volumes import VolumeDescription
from msam.service.uploads import Upload, volume_of
from msam.volume import Volume

# An upload without a new part for so long makes room for others.
STALLED_SECONDS = 60.0
COMPLETE = UploadStatus(True, ())


@dataclass
class _Held:
    thing: Volume | Upload
    nbytes: int
    used: float


class VolumeStore:
    """Volumes by what they are known by. Any thread may use it.

    A volume that is dropped while a run works on it lives on until that run ends.
    """

    def __init__(self, limit_bytes: int, idle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_bytes = limit_bytes
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._held: OrderedDict[str, _Held] = OrderedDict()  # the least recently used first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return sum(isinstance(held.thing, Volume) for held in self._held.values())

    @property
    def nbytes(self) -> int:
        """Of all volumes, those on their way included."""
        with self._lock:
            return self._nbytes()

    def get(self, identity: str) -> Volume:
        """A volume.

        Raises:
            ServiceError: it is not here, or not yet complete.
        """
        thing = self._use(identity)
        if not isinstance(thing, Volume):
            raise unknown()
        return thing

    def status(self, identity: str) -> UploadStatus:
        """Whether a volume is here, or which of its parts are missing.

        Raises:
            ServiceError: nothing is known of it.
        """
        thing = self._use(identity)
        if thing is None:
            raise unknown()
        return COMPLETE if isinstance(thing, Volume) else thing.status

    def begin(self, identity: str, description: VolumeDescription) -> UploadStatus:
        """Prepares for the parts of a volume, unless they have been prepared for or are here.

        Of two descriptions for one identity, the earlier one was wrong, by mistake or on purpose, or the later one is,
        as will be seen when the parts are here; neither keeps the other from being tried.

        Raises:
            ServiceError: there is no room.
            VolumeError: the volume cannot be segmented.
        """
        thing = self._use(identity)
        if isinstance(thing, Upload) and thing.description != description:
            self.drop(identity)
            thing = None
        if thing is None:
            self._hold(identity, description.nbytes, lambda: Upload(identity, description))
        return self.status(identity)

    def receive(self, identity: str, part: int, packed: bytes) -> UploadStatus:
        """Takes a part of a volume in.

        Raises:
            ServiceError: nothing is known of the volume.
            ProtocolError: the part is damaged, or the volume, now complete, is not the one that was announced. It is
                forgotten then.
        """
        upload = self._use(identity)
        if not isinstance(upload, Upload):
            return self.status(identity)
        try:
            complete = upload.receive(part, packed)
        except Exception:
            if not upload.status.missing:
                self.drop(identity)
            raise
        if complete:
            with self._lock:
                held = self._held.get(identity)
                if held is not None and held.thing is upload:
                    held.thing = upload.volume
        return self.status(identity)

    def adopt(self, identity: str, description: VolumeDescription, buffer: object) -> UploadStatus:
        """Takes a volume over whose voxels lie in a buffer already; they are not copied.

        Raises:
            ServiceError: there is no room.
            VolumeError: the volume cannot be segmented.
        """
        volume = volume_of(description, buffer)
        if not isinstance(self._use(identity), Volume):
            self.drop(identity)
            self._hold(identity, description.nbytes, lambda: volume)
        return COMPLETE

    def drop(self, identity: str) -> None:
        """Forgets a volume; nothing happens when it is not here."""
        with self._lock:
            self._held.pop(identity, None)

    def drop_idle(self) -> None:
        """Forgets what nobody has asked for in a while."""
        with self._lock:
            before = self._clock() - self._idle_seconds
            for identity in [identity for identity, held in self._held.items() if held.used <= before]:
                del self._held[identity]

    def _use(self, identity: str) -> Volume | Upload | None:
        with self._lock:
            held = self._held.get(identity)
            if held is None:
                return None
            held.used = self._clock()
            self._held.move_to_end(identity)
            return held.thing

    def _hold(self, identity: str, nbytes: int, make: Callable[[], Volume | Upload]) -> None:
        with self._lock:
            if identity in self._held:
                return
            self._make_room(nbytes)
            self._held[identity] = _Held(make(), nbytes, self._clock())

    def _make_room(self, nbytes: int) -> None:
        if nbytes > self.limit_bytes:
            raise ServiceError(
                f"The volume has {nbytes >> 20} MiB; this engine holds at most {self.limit_bytes >> 20} MiB.",
                Code.TOO_LARGE,
            )
        stalled = self._clock() - STALLED_SECONDS
        for identity, held in list(self._held.items()):
            if self._nbytes() + nbytes <= self.limit_bytes:
                return
            if isinstance(held.thing, Volume) or held.used <= stalled:
                del self._held[identity]
        if self._nbytes() + nbytes > self.limit_bytes:
            raise ServiceError("Too many volumes are being uploaded; try again in a moment.", Code.BUSY)

    def _nbytes(self) -> int:
        return sum(held.nbytes for held in self._held.values())


def unknown() -> ServiceError:
    """What is said of a volume that is not here."""
    return ServiceError("The volume is not known here. Upload it, then ask again.", Code.VOLUME_UNKNOWN)
