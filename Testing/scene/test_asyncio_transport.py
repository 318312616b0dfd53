"""The transport for plain Python."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Iterator

import pytest
from transport_checks import TransportChecks

from MSAMSegmentLib.asyncio_transport import AsyncioTransport
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.transport import ProcessCallbacks, Request


class TestAsyncioTransport(TransportChecks):
    """All that every transport must do."""

    @pytest.fixture
    def transport(self) -> Iterator[AsyncioTransport]:
        """A transport with a loop of its own."""
        transport = AsyncioTransport()
        yield transport
        transport.close()


def test_in_a_loop_that_runs_anyway_callbacks_come_from_that_loop():
    async def main() -> list[str]:
        transport, told = AsyncioTransport(asyncio.get_running_loop()), []
        transport.callLater(0, lambda: told.append("timer"))
        transport.send(Request("GET", "http://127.0.0.1:9/"), lambda answer: told.append(answer.failure))
        with pytest.raises(SceneError, match="already running"):
            transport.runUntil(lambda: True, 1)
        while len(told) < 2:
            await asyncio.sleep(0.01)
        transport.close()
        await asyncio.sleep(0.05)
        return told

    assert asyncio.run(main()) == ["timer", Failure.NOTHING_LISTENS]


# A child that is given up is killed, and found dead when nobody listens any more.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_ends_while_a_process_starts_does_not_wait_for_it():
    callbacks = ProcessCallbacks(onOutput=print, onComplaint=print, onExit=print, onNotStarted=print)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]

    async def main(turns: int) -> None:
        AsyncioTransport(asyncio.get_running_loop()).startProcess(command, {}, callbacks)
        for _ in range(turns):
            await asyncio.sleep(0)

    begun = time.monotonic()
    for turns in range(6):
        asyncio.run(main(turns))
    assert time.monotonic() - begun < 50
    gc.collect()


def test_one_can_wait_until_all_processes_are_gone():
    callbacks = ProcessCallbacks(onOutput=print, onComplaint=print, onExit=print, onNotStarted=print)

    async def main() -> bool:
        transport = AsyncioTransport(asyncio.get_running_loop())
        process = transport.startProcess([sys.executable, "-c", "import time; time.sleep(60)"], {}, callbacks)
        await asyncio.sleep(0)  # It is being started.
        transport.close()
        await transport.waitUntilClosed()
        return process.hasEnded

    assert asyncio.run(main())
