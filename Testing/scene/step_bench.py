"""A runner of steps with a stand-in engine, and all that was told of its steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from stand_in_engine import StandInTransport

from msam.protocol.steps import ClickRecord, StepReply
from MSAMSegmentLib.engine_link import EngineLink
from MSAMSegmentLib.step_run import StepRunner, StepSpec

HOST, KEY = "https://gpu.example.org:8421", "a-key-of-enough-characters"
SHAPE_IJK = (40, 30, 20)
MATRIX = np.array([[-1.0, 0, 0, 5], [0, 1.5, 0, 7], [0, 0, 2, -9], [0, 0, 0, 1]])
INSIDE = ClickRecord((20.0, 15.0, 10.0))
CANCEL_SECONDS = 0.5


def a_scan(stamp: object = 1, seed: int = 0) -> Any:
    """What a step needs of a scan."""
    voxels = np.random.default_rng(seed).integers(0, 100, SHAPE_IJK[::-1]).astype(np.int16)
    return SimpleNamespace(voxels=voxels, ijkToRas=MATRIX, modality="CT", stamp=stamp)


class Bench:
    """A runner with a stand-in engine, and all that was told of its steps by name."""

    def __init__(self, isRemote: bool = False) -> None:
        self.transport = StandInTransport()
        self.link = EngineLink(self.transport)
        if isRemote:
            self.transport.hosts[HOST] = KEY
            self.link.useHost(HOST, KEY)
        else:
            self.link.useThisComputer("python3")
        self.runner = StepRunner(self.link, self.transport)
        self.told: list[tuple[str, str]] = []
        self.replies: dict[str, StepReply] = {}
        self.errors: dict[str, Exception] = {}
        self.progress: list[tuple[float, str]] = []

    def run(self, name: str, *clicks: ClickRecord, scan: Any = None, **spec: Any) -> None:
        """Asks for a step."""
        before = list(self.told)
        self.runner.run(
            scan or a_scan(),
            StepSpec(clicks or (INSIDE,), **spec),
            lambda fraction, words: self.progress.append((fraction, words)),
            lambda reply: self._note(name, "done", self.replies, reply),
            lambda error: self._note(name, "error", self.errors, error),
            lambda: self._note(name, "superseded", {}, None),
        )
        assert self.told == before, "it called back from within the call"

    def finish(self, seconds: float = 120) -> None:
        """Waits for the end of it all."""
        assert self.transport.runUntil(lambda: not self.runner.isBusy, seconds)

    def do(self, *clicks: ClickRecord, **spec: Any) -> StepReply:
        """The reply to a step."""
        self.run("only", *clicks, **spec)
        self.finish()
        assert "only" in self.replies, self.errors
        return self.replies.pop("only")

    @property
    def asked(self) -> list[str]:
        """What was asked of the engine, without the names of things."""
        return [
            " ".join(part for part in line.replace("/", " / ").split() if len(part) < 30)
            for line in self.transport.service.asked
        ]

    def _note(self, name: str, what: str, where: dict[str, Any], value: Any) -> None:
        self.told.append((name, what))
        where[name] = value
