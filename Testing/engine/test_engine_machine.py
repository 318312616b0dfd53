"""The life of the engine's process, without any process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msam.engine_process.machine import (
    MOST_RESTARTS,
    RESTART_SECONDS,
    Alarm,
    Announce,
    ClearAlarm,
    CloseInput,
    Complaint,
    Event,
    Exited,
    Fail,
    Kill,
    Machine,
    NotStarted,
    Output,
    Restart,
    SetAlarm,
    Spawn,
    Start,
    Stop,
    Tell,
    Withdraw,
)
from msam.protocol import events
from msam.protocol.names import VERSION

READY = Output(events.encode_event(events.Ready(4321, VERSION, "0.1.0", "compact", True)))


def after(*happened: Event, seconds: float = 0.0) -> tuple[Machine, list[object]]:
    """Where these events lead to, one `seconds` after the other, and what the last of them asks for."""
    machine, actions = Machine(), ()
    for number, event in enumerate(happened):
        machine, actions = machine.on(event, number * seconds)
    return machine, list(actions)


def kinds(actions: list[object]) -> list[type]:
    return [type(action) for action in actions]


def test_it_starts_and_is_ready():
    machine, actions = after(Start())
    assert (machine.state, kinds(actions)) == ("starting", [SetAlarm, Spawn])
    machine, actions = after(Start(), READY)
    assert (machine.state, kinds(actions)) == ("ready", [ClearAlarm, Announce])
    assert actions[1].ready.port == 4321


def test_starting_twice_starts_one():
    assert after(Start(), Start())[1] == []
    assert after(Start(), READY, Start())[1] == []


def test_it_stops_by_itself_when_its_input_is_closed_and_is_killed_when_it_does_not():
    machine, actions = after(Start(), READY, Stop())
    assert (machine.state, kinds(actions)) == ("stopping", [Withdraw, CloseInput, SetAlarm])
    assert kinds(after(Start(), READY, Stop(), Alarm())[1]) == [Kill]
    machine, actions = after(Start(), READY, Stop(), Exited(0))
    assert (machine.state, kinds(actions)) == ("stopped", [ClearAlarm])


def test_wanted_again_while_it_stops_it_starts_once_more():
    machine, actions = after(Start(), READY, Stop(), Start(), Exited(0))
    assert machine.state == "starting"
    assert Spawn() in actions


def test_a_crash_is_followed_by_another_start():
    machine, actions = after(Start(), READY, Exited(-9))
    assert (machine.state, kinds(actions)) == ("starting", [Withdraw, Tell, SetAlarm, Spawn])


def test_an_engine_that_does_not_answer_is_replaced():
    assert kinds(after(Start(), READY, Restart())[1]) == [Kill]
    assert Spawn() in after(Start(), READY, Restart(), Exited(-9))[1]


def test_it_gives_up_when_the_engine_ends_again_and_again():
    crashes = [Start()] + [READY, Exited(-11)] * (MOST_RESTARTS + 1)
    machine, actions = after(*crashes)
    assert machine.state == "failed"
    assert kinds(actions) == [Withdraw, ClearAlarm, Fail]
    machine, _ = after(*crashes, seconds=RESTART_SECONDS)
    assert machine.state == "starting"


def test_a_start_that_fails_says_why():
    machine, actions = after(Start(), Complaint(b"ModuleNotFoundError: No module named 'torch'\n"), Exited(1))
    assert machine.state == "failed"
    assert "No module named 'torch'" in actions[-1].message
    failed = Output(events.encode_event(events.Failed("The model is damaged.")))
    assert after(Start(), failed, Exited(2))[1][-1] == Fail("The model is damaged.")
    assert "no such file" in after(Start(), NotStarted("no such file."))[1][-1].message


CRASHED = Complaint(b"error: [/slicer/bin/python-real] exit abnormally - Report the problem.\n")


@pytest.mark.parametrize("before", [[], [READY]])
def test_a_crash_beneath_a_launcher_is_a_crash(before):
    """The launcher of 3D Slicer's Python ends with code 1 then, as after an error."""
    machine, actions = after(Start(), *before, CRASHED, Exited(1))
    assert machine.state == "starting"
    assert Spawn() in actions
    assert not machine.crashed  # the next one has not


def test_what_the_launcher_says_is_not_taken_for_the_words_of_the_engine():
    crashes = [Start()] + [READY, Complaint(b"out of memory\n"), CRASHED, Exited(1)] * (MOST_RESTARTS + 1)
    machine, actions = after(*crashes)
    assert machine.state == "failed"
    assert actions[-1].message == "The engine ends again and again (code -1). Its last words: out of memory"


def test_a_start_that_takes_for_ever_is_ended_in_words():
    assert kinds(after(Start(), Alarm())[1]) == [Kill]
    assert "not ready" in after(Start(), Alarm(), Exited(-9))[1][-1].message


def test_an_engine_of_another_version_is_not_used():
    other = Output(events.encode_event(events.Ready(4321, VERSION + 1, "9", None, True)))
    assert kinds(after(Start(), other)[1]) == [Kill]
    machine, actions = after(Start(), other, Exited(-9))
    assert machine.state == "failed"
    assert "version" in actions[-1].message


def test_after_a_failure_it_can_be_started_again():
    assert after(Start(), NotStarted("x"), Start())[0].state == "starting"


@pytest.mark.parametrize("line", [b"hello\n", b"", b"{}", b'{"event":"ready"}', b"\xff\xfe"])
def test_other_output_goes_to_the_log(line):
    machine, actions = after(Start(), Output(line))
    assert machine.state == "starting"
    assert kinds(actions) == [Tell]


anything = st.sampled_from(
    [Start(), Stop(), Restart(), READY, Output(b"x"), Complaint(b"y"), Exited(0), Exited(-9), NotStarted("z"), Alarm()]
)


@given(st.lists(anything, max_size=30))
def test_whatever_happens_there_is_never_more_than_one_process(happened):
    machine, alive = Machine(), 0
    for number, event in enumerate(happened):
        if isinstance(event, (Exited, NotStarted)) and not alive:
            continue  # what does not run cannot end
        alive -= isinstance(event, (Exited, NotStarted))
        machine, actions = machine.on(event, float(number))
        alive += sum(isinstance(action, Spawn) for action in actions)
        assert alive in (0, 1)
        if machine.state == "ready":
            assert alive
