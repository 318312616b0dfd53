"""Bringing a scan to the engine: in memory on one machine, else in the parts that are missing there."""

from __future__ import annotations

from collections.abc import Callable

from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol import names, records, volumes
from msam.protocol.messages import SharedVolume, UploadStatus
from msam.protocol.names import path
from msam.protocol.problems import ProtocolError, ServiceError
from MSAMSegmentLib.engine_exchange import read, requestTo
from MSAMSegmentLib.errand import Errand
from MSAMSegmentLib.known_volume import Known
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Answer, Transport

# A part over a slow line.
PART_SECONDS = 120.0


class _Lent:
    """Memory that the engine looks at."""

    def __init__(self, data: memoryview) -> None:
        # Not every Python has what this module needs.
        from msam import shared_memory

        self._offer = shared_memory.offer(data)
        self.address = self._offer.address

    def cancel(self) -> None:
        """Takes it back; an engine that has seen it keeps what it needs."""
        self._offer.close()


class VolumeUpload(Errand):
    """One scan on its way. What went wrong comes with the answer that tells it, if there was one."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        known: Known,
        onProgress: Callable[[float, str], None],
        onDone: Callable[[], None],
        onError: Callable[[MsamError, Answer], None],
    ) -> None:
        """Begins."""
        super().__init__()
        self._transport = transport
        self._endpoint = endpoint
        self._known = known
        self._onProgress = onProgress
        self._onDone = onDone
        self._onError = onError
        if not (endpoint.shares_memory and self._lend()):
            self._announce()

    def _lend(self) -> bool:
        """Hands the scan over in memory, where this Python can."""
        try:
            lent = _Lent(self._known.data)
        except (OSError, ImportError, AttributeError):
            return False
        self.hold(lent, "memory")
        described = self._known.description
        message = SharedVolume(lent.address, described.dtype, described.shape, described.ijk_to_ras, described.modality)
        where = path(names.VOLUME_SHARED, volume=self._known.identity)
        self._onProgress(0.0, _("Handing the scan to the engine"))
        self._put(where, records.encode(message), names.JSON, self._lentAnswered)
        return True

    def _lentAnswered(self, answer: Answer) -> None:
        self.release("memory")
        try:
            read(UploadStatus, answer, self._endpoint)
        except ProtocolError:
            self._announce()
        except MsamError as error:
            self._onError(error, answer)
        else:
            self._onDone()

    def _announce(self) -> None:
        where = path(names.VOLUME, volume=self._known.identity)
        self._put(where, records.encode(self._known.description), names.JSON, self._announced)

    def _announced(self, answer: Answer) -> None:
        try:
            status = read(UploadStatus, answer, self._endpoint)
        except MsamError as error:
            self._onError(error, answer)
        else:
            self._next(status, len(status.missing))

    def _next(self, status: UploadStatus, total: int) -> None:
        if status.complete:
            self._onDone()
            return
        if not status.missing:
            self._onError(ServiceError(_("The scan did not arrive as a whole; try again.")), Answer(200))
            return
        part = status.missing[0]
        self._onProgress(1 - len(status.missing) / total, _("Uploading the scan"))
        packed = volumes.pack_part(self._known.description, self._known.data, part)
        where = path(names.VOLUME_PART, volume=self._known.identity, part=part)
        self._put(where, packed, names.BINARY, lambda answer: self._partAnswered(answer, len(status.missing), total))

    def _partAnswered(self, answer: Answer, missing: int, total: int) -> None:
        try:
            status = read(UploadStatus, answer, self._endpoint)
            if not status.complete and len(status.missing) >= missing:
                raise ServiceError(_("The engine does not take the scan in; try again."))
        except MsamError as error:
            self._onError(error, answer)
        else:
            self._next(status, total)

    def _put(self, where: str, body: bytes, kind: str, onAnswer: Callable[[Answer], None]) -> None:
        request = requestTo(self._endpoint, "PUT", where, body, kind, PART_SECONDS)
        self.hold(self._transport.send(request, onAnswer))
