"""Embeddings that are worth keeping: as many as fit, the least recently used going first."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Protocol

LIMIT_BYTES = 256 << 20


class Sized(Protocol):
    """Anything that knows how much memory it holds."""

    @property
    def nbytes(self) -> int: ...


class EmbeddingCache:
    """A mapping bounded in bytes. Several threads may share it."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.nbytes = 0
        self._entries: OrderedDict[Hashable, Sized] = OrderedDict()
        self._names: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, thing: object) -> int:
        """A number that stands for an object in a key, without keeping it alive; never given to another object."""
        with self._lock:
            if thing not in self._names:
                self._names[thing] = next(self._numbers)
            return self._names[thing]

    def get(self, key: Hashable) -> Any:
        """What was put there, or None when it never was or had to go."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: Hashable, value: Sized) -> None:
        """Keeps a value, in the place of those that have not been used for longest. A value too large is not kept."""
        with self._lock:
            self._drop(key)
            if value.nbytes > self.limit_bytes:
                return
            while self.nbytes + value.nbytes > self.limit_bytes:
                self._drop(next(iter(self._entries)))
            self._entries[key] = value
            self.nbytes += value.nbytes

    def clear(self) -> None:
        """Frees everything; embeddings are computed again when they are needed."""
        with self._lock:
            self._entries.clear()
            self.nbytes = 0

    def _drop(self, key: Hashable) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self.nbytes -= value.nbytes
