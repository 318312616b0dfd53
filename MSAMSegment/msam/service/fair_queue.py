"""A queue in which nobody waits for somebody else's pile: clients take turns."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Generic, TypeVar

from msam.protocol.names import Code
from msam.protocol.problems import ServiceError

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """First in, first out for each client, and one item of each client in turn. Any thread may use it."""

    def __init__(self, most: int, most_per_client: int) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()
        self._length = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._length

    def put(self, client: str, item: Item) -> None:
        """Adds an item at the end of a client's line.

        Raises:
            ServiceError: too many wait already, or the queue is closed.
        """
        with self._changed:
            if self._closed:
                raise ServiceError("The engine is stopping.", Code.STOPPING)
            own = len(self._lines.get(client, ()))
            if self._length >= self._most or own >= self._most_per_client:
                raise ServiceError("The engine has too much to do; try again in a moment.", Code.BUSY)
            self._lines.setdefault(client, deque()).append(item)
            self._length += 1
            self._changed.notify()

    def get(self) -> Item | None:
        """Waits for the next item; None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._length or self._closed)
            if not self._length or self._closed:
                return None
            client, line = next(iter(self._lines.items()))
            item = line.popleft()
            self._length -= 1
            # To the end of the round, or out of it.
            if line:
                self._lines.move_to_end(client)
            else:
                del self._lines[client]
            return item

    def remove(self, item: Item) -> bool:
        """Takes an item out before its turn; whether it was still there."""
        with self._changed:
            for client, line in self._lines.items():
                if item in line:
                    line.remove(item)
                    self._length -= 1
                    if not line:
                        del self._lines[client]
                    return True
        return False

    def ahead_of(self, item: Item) -> int:
        """How many items come before one, as things stand; 0 when it is not there."""
        with self._changed:
            for client, line in self._lines.items():
                if item in line:
                    turn = line.index(item)
                    clients = list(self._lines)
                    place = clients.index(client)
                    return (
                        sum(
                            min(len(other), turn + (1 if at < place else 0))
                            for at, other in enumerate(self._lines.values())
                            if at != place
                        )
                        + turn
                    )
        return 0

    def close(self) -> list[Item]:
        """Takes nothing more and wakes whoever waits; gives back what was left."""
        with self._changed:
            self._closed = True
            left = [item for line in self._lines.values() for item in line]
            self._lines.clear()
            self._length = 0
            self._changed.notify_all()
            return left
