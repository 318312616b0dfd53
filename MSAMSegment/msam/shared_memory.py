"""Handing bytes to another process of this machine without sending them: memory that both can see.

On Linux the memory has no name: it belongs to the processes that hold it and is gone with the last of them, however
they end. Elsewhere it has a name, which the offering process takes back as soon as the other one has answered.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

from msam.protocol.problems import ProtocolError

NAMELESS = re.compile(r"memfd:([0-9]{1,10}):([0-9]{1,6})")
NAMED = re.compile(r"named:([A-Za-z0-9_]{1,60})")
# One call of the system writes less than 2 GiB.
CHUNK = 1 << 30


class NamelessOffer:
    """Bytes in memory without a name (Linux). They can no longer be changed, so nobody can pull them away either.

    Attributes:
        address: by which `attach` finds them.
    """

    def __init__(self, data: memoryview) -> None:
        import fcntl

        self._file = os.memfd_create("msam-volume", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written : written + CHUNK])
            fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, _seals())
        except BaseException:
            self.close()
            raise
        self.address = f"memfd:{os.getpid()}:{self._file}"

    def close(self) -> None:
        """Lets go; who has attached keeps the bytes."""
        os.close(self._file)


class NamedOffer:
    """Bytes in memory with a name. Should this process be killed, Python's resource tracker takes the name back.

    Attributes:
        address: by which `attach` finds them.
    """

    def __init__(self, data: memoryview) -> None:
        self._memory = SharedMemory(create=True, size=len(data))
        view = self._memory.buf
        assert view is not None
        view[: len(data)] = data
        self.address = f"named:{self._memory.name.lstrip('/')}"

    def close(self) -> None:
        """Takes the name back and lets go."""
        self._memory.close()
        self._memory.unlink()


Offer = NamelessOffer | NamedOffer


def offer(data: memoryview) -> Offer:
    """Copies bytes to where another process can attach them. `close` it when that has answered.

    Raises:
        OSError: this process has no memory to share; the bytes must travel in another way.
    """
    if _can_seal():
        return NamelessOffer(data)
    if sys.platform != "win32" and not Path(sys.executable or "").name.startswith("python"):
        # Python's resource tracker is another process of this program, which an application would open a window for.
        raise OSError("Inside an application there is no memory to share on this system.")
    return NamedOffer(data)


def _can_seal() -> bool:
    """Whether there is memory without a name; a Python built on an old Linux has none on a new one either."""
    if sys.platform != "linux":
        return False
    import fcntl

    return hasattr(os, "memfd_create") and hasattr(fcntl, "F_ADD_SEALS")


def attach(address: str, nbytes: int) -> Any:
    """The bytes of an offer, read-only: a buffer, which keeps them for as long as it lives.

    Args:
        address: of the offer.
        nbytes: how many there should be.

    Raises:
        ProtocolError: there is no such offer, or it is of another length.
    """
    nameless, named = NAMELESS.fullmatch(address), NAMED.fullmatch(address)
    try:
        if nameless and sys.platform == "linux":
            return _attach_nameless(int(nameless[1]), int(nameless[2]), nbytes)
        if named:
            return _attach_named(named[1], nbytes)
    except (OSError, ValueError) as error:
        raise ProtocolError("The memory that the volume should be in cannot be seen from here; upload it.") from error
    raise ProtocolError(f"{address!r:.80} is no address of shared memory.")


def _attach_nameless(process: int, file: int, nbytes: int) -> mmap.mmap:
    import fcntl

    opened = os.open(f"/proc/{process}/fd/{file}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # Only such memory can be sealed; whatever else the address may lead to fails here.
        if fcntl.fcntl(opened, fcntl.F_GET_SEALS) & _seals() != _seals():
            raise ValueError("not sealed")
        if os.fstat(opened).st_size != nbytes:
            raise ValueError("another length")
        return mmap.mmap(opened, nbytes, prot=mmap.PROT_READ)
    finally:
        os.close(opened)


def _attach_named(name: str, nbytes: int) -> bytes:
    memory = SharedMemory(name)
    if sys.platform != "win32":
        # The name is the offering process's to take back, not ours when we end.
        resource_tracker.unregister(f"/{name}", "shared_memory")
    try:
        if memory.buf is None or memory.size < nbytes:
            raise ValueError("another length")
        return bytes(memory.buf[:nbytes])
    finally:
        memory.close()


def _seals() -> int:
    import fcntl

    return fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
