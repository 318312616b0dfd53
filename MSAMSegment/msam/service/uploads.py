"""A volume on its way: parts arrive in any order, twice, or after a break."""

from __future__ import annotations

import hashlib
import threading

import numpy as np

from msam.protocol import volumes
from msam.protocol.messages import UploadStatus
from msam.protocol.names import PART_BYTES
from msam.protocol.problems import ProtocolError
from msam.protocol.volumes import VolumeDescription
from msam.volume import Volume


class Upload:
    """Memory for a volume, filled part by part. Any thread may bring one.

    Attributes:
        volume: the volume in the making.
        nbytes: of its voxels.
    """

    def __init__(self, identity: str, description: VolumeDescription) -> None:
        """Takes memory for a volume.

        Raises:
            VolumeError: its shape or its geometry is unusable.
        """
        self.identity = identity
        self.description = description
        self.nbytes = description.nbytes
        # Not touched yet: memory is really taken as parts arrive.
        self._bytes = np.empty(self.nbytes, np.uint8)
        self.volume = volume_of(description, self._bytes)
        self._digests: list[bytes | None] = [None] * description.parts
        self._lock = threading.Lock()

    @property
    def status(self) -> UploadStatus:
        """Which parts are missing."""
        return UploadStatus(False, tuple(part for part, digest in enumerate(self._digests) if digest is None))

    def receive(self, part: int, packed: bytes) -> bool:
        """Puts a part where it belongs; a part that is there already stays as it is.

        Returns:
            Whether this was the last one that was missing.

        Raises:
            ProtocolError: the part is damaged, or the volume, now complete, is not the one that was announced.
        """
        content = volumes.unpack_part(self.description, part, packed)
        digest = hashlib.sha256(content).digest()
        start = part * PART_BYTES
        with self._lock:
            if self._digests[part] is not None:
                return False
            self._bytes[start : start + len(content)] = np.frombuffer(content, np.uint8)
            self._digests[part] = digest
            known = [digest for digest in self._digests if digest is not None]
        if len(known) < len(self._digests):
            return False
        if volumes.identity(self.description, known) != self.identity:
            raise ProtocolError("The voxels that arrived are not those of the volume announced. Upload it again.")
        return True


def volume_of(description: VolumeDescription, buffer: object) -> Volume:
    """The volume whose voxels lie in a buffer.

    Raises:
        VolumeError: its shape or its geometry is unusable.
    """
    voxels = description.array(buffer)
    voxels.setflags(write=False)
    matrix = np.array(description.ijk_to_ras).reshape(4, 4)
    return Volume(voxels, matrix, description.modality)
