"""The scene side against the real service with the real model: crashes, cancels, and the ways of being turned away."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core")

from msam.errors import Cancelled
from msam.protocol.steps import ClickRecord, StepReply
from MSAMSegmentLib.asyncio_transport import AsyncioTransport
from MSAMSegmentLib.engine_link import EngineLink
from MSAMSegmentLib.step_run import StepRunner, StepSpec

PATIENCE = 600.0
CANCEL_SECONDS = 0.5
CENTRE_IJK = (30.0, 25.0, 20.0)
RADIUS = 8.0


def a_scan(seed: int = 0) -> Any:
    """A bright ball of 8 mm in noise, 60 × 50 × 40 voxels of 1 × 1 × 2 mm."""
    k, j, i = np.indices((40, 50, 60))
    inside = (i - 30) ** 2 + (j - 25) ** 2 + (2 * (k - 20)) ** 2 < RADIUS**2
    noise = np.random.default_rng(seed).normal(0, 20, inside.shape)
    voxels = (noise + np.where(inside, 300, 0)).astype(np.int16)
    return SimpleNamespace(voxels=voxels, ijkToRas=np.diag([1.0, 1.0, 2.0, 1.0]), modality=None, stamp=("ball", seed))


class Bench:
    """The real engine and what was told of its steps."""

    def __init__(self) -> None:
        self.transport = AsyncioTransport()
        self.link = EngineLink(self.transport)
        self.link.useThisComputer(sys.executable, "compact", "cpu")
        self.runner = StepRunner(self.link, self.transport)
        self.outcome: Any = None
        self.words: list[str] = []

    def run(self, runner: StepRunner | None = None, seed: int = 0, **spec: Any) -> None:
        """Asks for a step."""
        self.outcome, self.words = None, []

        def ended(outcome: Any) -> None:
            self.outcome = outcome

        def progressed(_fraction: float, words: str) -> None:
            self.words.append(words)

        click = ClickRecord(CENTRE_IJK)
        (runner or self.runner).run(a_scan(seed), StepSpec((click,), **spec), progressed, ended, ended)

    def until(self, isDone: Callable[[], bool]) -> None:
        """Waits."""
        assert self.transport.runUntil(isDone, PATIENCE), self.link.words

    def reply(self) -> StepReply:
        """What the step ended with."""
        self.until(lambda: self.outcome is not None)
        assert isinstance(self.outcome, StepReply), self.outcome
        return self.outcome

    @property
    def pid(self) -> int:
        """Of the engine's process."""
        return int(self.transport._processes[-1]._process.pid)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """The engine, started by the first step."""
    bench = Bench()
    yield bench
    bench.transport.close()


@pytest.fixture(scope="module")
def first(bench: Bench) -> StepReply:
    """The answer to the first click."""
    bench.run()
    return bench.reply()


def same(reply: StepReply, other: StepReply) -> bool:
    return reply.mask.box == other.mask.box and np.array_equal(reply.mask.voxels, other.mask.voxels)


def test_the_first_click_starts_the_engine_and_finds_the_ball(bench: Bench, first: StepReply):
    assert np.allclose([(start + stop - 1) / 2 for start, stop in first.mask.box], CENTRE_IJK, atol=1.5)
    assert (bench.link.modelName, bench.link.deviceName, first.header.model) == ("compact", "cpu", "compact")


def test_the_same_click_gives_the_same_mask(bench: Bench, first: StepReply):
    bench.run()
    assert same(bench.reply(), first)


def test_an_engine_killed_in_mid_request_is_replaced_and_gives_the_same_mask(bench: Bench, first: StepReply):
    before = bench.pid
    bench.run(seed=1)  # a scan that it has not seen takes a while
    bench.transport.runUntil(lambda: False, 0.1)
    assert bench.outcome is None
    os.kill(before, signal.SIGKILL)
    replayed = bench.reply()
    bench.run(seed=1)
    assert same(bench.reply(), replayed)
    assert bench.pid != before
    assert bench.link.state == "ready"


def test_a_cancel_in_mid_run_ends_it_at_once_and_the_engine_is_free(bench: Bench, first: StepReply):
    bench.run(seed=2)
    bench.transport.runUntil(lambda: False, 0.1)
    assert bench.outcome is None
    begun = time.monotonic()
    bench.runner.cancel()
    bench.until(lambda: bench.outcome is not None)
    assert time.monotonic() - begun < CANCEL_SECONDS
    assert isinstance(bench.outcome, Cancelled)
    bench.run()
    assert same(bench.reply(), first)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0])
def test_a_cancel_while_the_engine_starts_ends_the_step_at_once(seconds: float):
    bench = Bench()
    try:
        bench.run()
        bench.transport.runUntil(lambda: False, seconds)
        begun = time.monotonic()
        bench.runner.cancel()
        bench.until(lambda: bench.outcome is not None)
        assert time.monotonic() - begun < CANCEL_SECONDS
        assert isinstance(bench.outcome, Cancelled)
    finally:
        bench.transport.close()


def test_the_engine_seen_as_a_host_takes_the_scan_in_parts_and_gives_the_same_mask(bench: Bench, first: StepReply):
    bench.until(lambda: bench.link.state == "ready")
    os.kill(bench.pid, signal.SIGKILL)
    bench.until(lambda: bench.link.state == "starting")
    bench.until(lambda: bench.link.state == "ready")
    endpoint = bench.link.endpoint
    host = EngineLink(bench.transport)
    host.useHost(endpoint.url, endpoint.token)
    bench.run(StepRunner(host, bench.transport))
    assert same(bench.reply(), first)
    assert "Uploading the scan" in bench.words


def test_a_wrong_key_and_a_wrong_port_are_told_apart(bench: Bench, first: StepReply):
    bench.until(lambda: bench.link.state == "ready")
    url, said = bench.link.endpoint.url, []
    host = EngineLink(bench.transport)
    for address, key in ((url, "0123456789abcdef0123"), ("http://127.0.0.1:9", ""), (url, bench.link.endpoint.token)):
        host.useHost(address, key)
        count = len(said)
        host.test(lambda well, words: said.append((well, words)))
        bench.until(lambda count=count: len(said) > count)
    assert [well for well, _ in said] == [False, False, True]
    assert "does not accept the key" in said[0][1]
    assert "nothing listens" in said[1][1]
    assert "compact" in said[2][1]


def test_closing_ends_the_process():
    bench = Bench()
    bench.link.start()
    bench.until(lambda: bench.link.words != "Starting the engine")
    process = bench.pid
    bench.transport.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
