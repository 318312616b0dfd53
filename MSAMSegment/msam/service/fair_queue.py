"""A queue in which nobody waits for somebody else's pile: addresses take turns, and at each of them its clients."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Any, Generic, NamedTuple, TypeVar

from msam.protocol.names import Code
from msam.protocol.problems import ServiceError

Item = TypeVar("Item")


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        address: where from, which nobody can make up.
        name: which one of those who ask from there; clients name themselves.
    """

    address: str
    name: str


class FairQueue(Generic[Item]):
    """First in, first out for each client; clients of an address take turns, and so do addresses.

    Names alone would not do: with many made-up ones, one client would have most of the turns. Any thread may use it.
    """

    def __init__(self, most: int, most_per_address: int, most_per_client: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._most_per_client = most_per_client
        self._lines: OrderedDict[str, OrderedDict[str, deque[Item]]] = OrderedDict()
        self._length = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._length

    def put(self, caller: Caller, item: Item) -> None:
        """Adds an item at the end of a client's line.

        Raises:
            ServiceError: too many wait already, or the queue is closed.
        """
        with self._changed:
            if self._closed:
                raise ServiceError("The engine is stopping.", Code.STOPPING)
            clients: dict[str, deque[Item]] = self._lines.get(caller.address, OrderedDict())
            if (
                self._length >= self._most
                or sum(map(len, clients.values())) >= self._most_per_address
                or len(clients.get(caller.name, ())) >= self._most_per_client
            ):
                raise ServiceError("The engine has too much to do; try again in a moment.", Code.BUSY)
            self._lines.setdefault(caller.address, OrderedDict()).setdefault(caller.name, deque()).append(item)
            self._length += 1
            self._changed.notify()

    def get(self) -> Item | None:
        """Waits for the next item; None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._length or self._closed)
            if not self._length or self._closed:
                return None
            self._length -= 1
            return _take_next(self._lines)

    def remove(self, item: Item) -> bool:
        """Takes an item out before its turn; whether it was still there."""
        with self._changed:
            for address, clients in self._lines.items():
                for name, line in clients.items():
                    if item in line:
                        line.remove(item)
                        self._length -= 1
                        if not line:
                            del clients[name]
                        if not clients:
                            del self._lines[address]
                        return True
        return False

    def ahead_of(self, item: Item) -> int:
        """How many items come before one, as things stand; 0 when it is not there."""
        with self._changed:
            left = OrderedDict(
                (address, OrderedDict((name, deque(line)) for name, line in clients.items()))
                for address, clients in self._lines.items()
            )
        ahead = 0
        while left:
            if _take_next(left) == item:
                return ahead
            ahead += 1
        return 0

    def close(self) -> list[Item]:
        """Takes nothing more and wakes whoever waits; gives back what was left."""
        with self._changed:
            self._closed = True
            left = [item for clients in self._lines.values() for line in clients.values() for item in line]
            self._lines.clear()
            self._length = 0
            self._changed.notify_all()
            return left


def _take_next(lines: OrderedDict[str, OrderedDict[str, deque[Item]]]) -> Item:
    address, clients = next(iter(lines.items()))
    name, line = next(iter(clients.items()))
    item = line.popleft()
    _end_turn(clients, name)
    _end_turn(lines, address)
    return item


def _end_turn(lines: OrderedDict[str, Any], key: str) -> None:
    """Sends who had a turn to the end of the round, or out of it."""
    if lines[key]:
        lines.move_to_end(key)
    else:
        del lines[key]
