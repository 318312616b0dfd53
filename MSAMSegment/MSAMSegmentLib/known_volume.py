"""What a scan is known by at the engine: found once for each state of its voxels, a little at a time."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msam.errors import MsamError
from msam.protocol import volumes
from msam.protocol.volumes import VolumeDescription
from MSAMSegmentLib.errand import Errand
from MSAMSegmentLib.transport import Cancellable, Transport

if TYPE_CHECKING:
    from MSAMSegmentLib.scans import Scan

# How long the application may be kept from its event loop.
TURN_SECONDS = 0.03
# Identities are small; this many scans can be gone back to without reading through them again.
KEPT = 64


@dataclass(frozen=True, eq=False)
class Known:
    """A scan as it travels.

    Attributes:
        identity: what it is known by.
        description: all but its voxels.
        data: its bytes, not copied unless they lie otherwise in memory.
    """

    identity: str
    description: VolumeDescription
    data: memoryview

    @property
    def shapeIjk(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        depth, height, width = self.description.shape
        return width, height, depth


class Identities:
    """Remembers what scans are known by, and nothing else of them.

    The key is the scan's stamp: Slicer counts the changes of everything in one row, so no two states of any two scans
    share one.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[object, str] = OrderedDict()

    def find(
        self,
        transport: Transport,
        scan: Scan,
        onKnown: Callable[[Known], None],
        onError: Callable[[MsamError], None],
        onProgress: Callable[[float], None],
    ) -> Cancellable:
        """Reads through the voxels unless it has done so before, between turns of the event loop."""
        errand = Errand()
        try:
            description, data = volumes.describe(scan.voxels, scan.ijkToRas, scan.modality)
        except MsamError as error:
            unusable = error
            errand.hold(transport.callLater(0, lambda: onError(unusable)))
            return errand
        key = (scan.stamp, scan.modality)
        digests: list[bytes] = []

        def go_on() -> None:
            if key not in self._found:
                turn = transport.now() + TURN_SECONDS
                while len(digests) < description.parts:
                    digests.append(hashlib.sha256(volumes.cut(description, data, len(digests))).digest())
                    if transport.now() > turn:
                        break
                if len(digests) < description.parts:
                    onProgress(len(digests) / description.parts)
                    errand.hold(transport.callLater(0, go_on))
                    return
                self._found[key] = volumes.identity(description, digests)
                while len(self._found) > KEPT:
                    self._found.popitem(last=False)
            onKnown(Known(self._found[key], description, data))

        errand.hold(transport.callLater(0, go_on))
        return errand
