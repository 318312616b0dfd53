"""Steps: crashes, busy engines, one at a time, and an end at any moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in_engine import TICK
from step_bench import CANCEL_SECONDS, HOST, INSIDE, KEY, Bench, a_scan

from msam.errors import Cancelled, PromptError, StateError
from msam.protocol import volumes
from msam.protocol.problems import ServiceError
from MSAMSegmentLib import known_volume, step_errand
from MSAMSegmentLib.step_run import StepSpec

# What goes wrong


@pytest.mark.parametrize("at", ["at once", "in mid-run"])
def test_a_crash_is_answered_by_a_restart_and_the_same_mask(bench: Bench, at: str):
    before = bench.do()
    if at == "at once":
        bench.transport.failNext("crash")
        bench.run("again")
    else:
        bench.transport.delay = 50
        bench.run("again")
        bench.transport.pump(20)
        bench.transport.crash()
    bench.finish()
    assert len(bench.transport.processes) == 2
    assert bench.replies["again"].mask.box == before.mask.box
    assert np.array_equal(bench.replies["again"].mask.voxels, before.mask.voxels)
    assert any("broke" in words for _, words in bench.progress)


def test_a_step_that_ends_the_engine_each_time_is_given_up_and_the_next_one_works(bench: Bench):
    for _ in range(step_errand.MOST_LOSSES):
        bench.transport.failNext("crash")
    bench.run("deadly")
    bench.finish()
    assert "again and again" in str(bench.errors["deadly"])
    bench.do()


def test_an_engine_that_hangs_is_ended_and_replaced(bench: Bench, monkeypatch):
    bench.do()
    answer = bench.transport.service.answer
    hung = bench.transport.processes[-1]

    def nothing(method: str, path: str, headers: Any, body: bytes, reply: Any) -> None:
        if not hung.alive:
            answer(method, path, headers, body, reply)
        elif method == "GET":
            bench.transport.callLater(step_errand.LOOK_SECONDS, lambda: reply(0, b""))

    monkeypatch.setattr(bench.transport.service, "answer", nothing)
    bench.run("again")
    bench.finish()
    assert "again" in bench.replies
    assert not hung.alive


def test_a_busy_engine_is_asked_again_and_for_a_while_only(bench: Bench):
    bench.transport.failNext("busy")
    bench.transport.failNext("out-of-memory")
    bench.do()
    for _ in range(100):
        bench.transport.failNext("busy")
    bench.run("never")
    bench.finish()
    assert bench.errors["never"].code == "busy"


@pytest.mark.parametrize(
    ("code", "kind"), [("prompt-unusable", PromptError), ("state-unusable", StateError), ("internal", ServiceError)]
)
def test_what_the_engine_refuses_is_told_and_not_asked_again(bench: Bench, code: str, kind: type[Exception]):
    bench.transport.failNext(code)
    bench.run("only")
    bench.finish()
    assert isinstance(bench.errors["only"], kind)
    assert len(bench.transport.requests) == 1


def test_an_engine_that_cannot_be_started_is_told(bench: Bench):
    bench.transport.noInterpreter = True
    bench.run("only")
    bench.finish()
    assert "cannot be started" in str(bench.errors["only"])


def test_an_engine_that_is_stopped_in_mid_run_ends_the_step(bench: Bench):
    bench.do()
    bench.transport.delay = 1000
    bench.run("only")
    bench.transport.pump(5)
    bench.link.stop()
    bench.finish()
    assert "stopped" in str(bench.errors["only"])


def test_a_host_that_goes_away_is_tried_a_while_and_then_told_of(remote: Bench):
    remote.do()
    del remote.transport.hosts[HOST]
    remote.run("lost")
    remote.finish()
    assert "cannot be reached" in str(remote.errors["lost"])
    assert remote.link.state == "failed"
    remote.transport.hosts[HOST] = KEY
    remote.do()


# One at a time


def test_a_newer_step_takes_the_place_of_the_one_that_waits(bench: Bench):
    bench.transport.delay = 10
    for name in ("first", "second", "third"):
        bench.run(name)
    bench.finish()
    assert bench.told == [("second", "superseded"), ("first", "done"), ("third", "done")]


def test_steps_never_run_side_by_side(bench: Bench):
    bench.transport.delay = 10
    most: list[int] = []
    bench.run("first")
    bench.run("second")
    assert bench.transport.runUntil(lambda: most.append(bench.transport.service.running) or not bench.runner.isBusy, 20)
    assert max(most) == 1


def test_a_step_asked_for_while_one_is_told_of_comes_last(bench: Bench):
    bench.runner.run(
        a_scan(), StepSpec((INSIDE,)), lambda *told: None, lambda reply: bench.run("from within"), lambda error: None
    )
    bench.transport.runUntil(lambda: bench.told, 20)
    assert bench.told == [("from within", "done")]


# An end at any moment


@given(st.integers(0, 60), st.booleans(), st.booleans(), st.booleans())
def test_a_cancel_ends_what_runs_and_what_waits_at_any_moment(pumps: int, isRemote: bool, two: bool, crash: bool):
    bench = Bench(isRemote)
    transport = bench.transport
    transport.startDelay, transport.service.uploadDelay, transport.delay = 15, 10, 20
    bench.run("running")
    if two:
        bench.run("waiting")
    transport.pump(pumps)
    if crash and transport.processes and transport.processes[-1].alive:
        transport.crash()
    told = list(bench.told)
    bench.runner.cancel()
    begun = transport.now()
    transport.pump(2)
    assert transport.now() - begun <= CANCEL_SECONDS
    assert not bench.runner.isBusy
    names = {"running", "waiting"} if two else {"running"}
    assert {name for name, _ in bench.told} == names
    assert len(bench.told) == len(names)
    for name, _ in bench.told[len(told) :]:
        assert isinstance(bench.errors[name], Cancelled)
    assert not transport.service.running, "the engine goes on with what nobody wants"
    before = list(bench.told)
    transport.runUntil(lambda: False, 5)
    assert bench.told == before
    bench.do()


def test_a_cancel_while_idle_does_nothing(bench: Bench):
    bench.runner.cancel()
    assert not bench.runner.isBusy
    bench.do()
    bench.runner.cancel()
    assert not bench.runner.isBusy


def test_a_cancel_while_the_scan_is_read_through_comes_between_two_turns(bench: Bench, monkeypatch):
    monkeypatch.setattr(volumes, "PART_BYTES", 100)
    monkeypatch.setattr(known_volume, "TURN_SECONDS", -1)
    bench.run("only")
    assert bench.transport.runUntil(lambda: any("Reading" in words for _, words in bench.progress), 5)
    bench.runner.cancel()
    bench.transport.pump(1)
    assert bench.told == [("only", "error")]
    assert bench.transport.now() < TICK * 100


def test_nothing_is_kept_of_a_scan_once_its_step_has_ended(bench: Bench):
    import gc
    import weakref

    scan = a_scan()
    voxels = weakref.ref(scan.voxels)
    bench.do(scan=scan)
    del scan
    gc.collect()
    assert voxels() is None
