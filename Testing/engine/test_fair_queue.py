"""Whose turn it is, and how many may wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msam.access import origin
from msam.protocol.names import Code
from msam.protocol.problems import ServiceError
from msam.service.fair_queue import Caller, FairQueue

callers = st.builds(Caller, st.sampled_from("abc"), st.sampled_from("xyz"))


def queue(most: int = 64, most_per_address: int = 32, most_per_client: int = 8) -> FairQueue[object]:
    return FairQueue(most, most_per_address, most_per_client)


def put(waiting: FairQueue[object], address: str, name: str, item: object) -> bool:
    """Whether there was room."""
    try:
        waiting.put(Caller(address, name), item)
    except ServiceError as error:
        assert error.code == Code.BUSY
        return False
    return True


def test_made_up_names_win_no_turns_and_leave_room_for_others():
    waiting = queue()
    admitted = sum(put(waiting, "greedy", f"name-{number}", number) for number in range(64))
    assert admitted == 32
    assert put(waiting, "other", "name", "other")
    assert waiting.ahead_of("other") == 1
    assert [waiting.get(), waiting.get()] == [0, "other"]


def test_sixteen_clients_behind_one_address_take_turns():
    waiting = queue()
    for turn in range(2):
        assert all(put(waiting, "hospital", f"client-{number}", (turn, number)) for number in range(16))
    assert [waiting.get() for _ in range(32)] == [(turn, number) for turn in range(2) for number in range(16)]


def test_one_client_fills_neither_the_queue_nor_its_address():
    waiting = queue()
    assert sum(put(waiting, "here", "name", number) for number in range(20)) == 8
    assert put(waiting, "here", "another", "item")


@given(st.lists(callers, max_size=20), st.integers(0, 5))
def test_what_is_ahead_comes_first(asking, taken):
    waiting = queue()
    items = [number for number, caller in enumerate(asking) if put(waiting, *caller, number)]
    got = [waiting.get() for _ in range(min(taken, len(items)))]
    expected = {item: waiting.ahead_of(item) for item in items if item not in got}
    order = [waiting.get() for _ in range(len(waiting))]
    assert expected == {item: at for at, item in enumerate(order)}
    for name in set(asking):
        own = [number for number in got + order if asking[int(str(number))] == name]
        assert own == sorted(own, key=int)  # type: ignore[arg-type]


@given(st.lists(callers, min_size=1, max_size=20), st.data())
def test_what_is_taken_out_is_gone_and_nothing_else(asking, data):
    waiting = queue()
    items = [number for number, caller in enumerate(asking) if put(waiting, *caller, number)]
    gone = data.draw(st.sampled_from(items))
    assert waiting.remove(gone) and not waiting.remove(gone)
    assert len(waiting) == len(items) - 1
    assert sorted(map(int, waiting.close())) == [item for item in items if item != gone]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::1", "::2", False),
        ("unknown", "unknown", True),
    ],
)
def test_one_network_of_ipv6_is_one_place(one, other, same):
    assert (origin(one) == origin(other)) == same
