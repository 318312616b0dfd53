"""The transport for plain Python."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from transport_checks import TransportChecks

from MSAMSegmentLib.asyncio_transport import AsyncioTransport
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.transport import Request


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
