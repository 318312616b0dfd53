"""Kills the engine at random moments while it answers: every request must end with the right mask or a clear error.

python -m Testing.benchmarks.service_kills [--requests 200] [--kills 20]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np

from msam.client import Client, Known
from msam.engine_process import EngineProcess
from msam.errors import MsamError
from Testing.benchmarks.service_scene import MODEL, clicks, expected, scan

SHARED = Path("/dev/shm")
# A request that takes longer hangs.
PATIENCE = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    volume = scan(0)
    truth = expected(volume)
    before = _left()
    right, refused, longest, killed = _run(Known.of(volume), truth, options.requests, options.kills)
    left = _left() - before
    print(
        f"{options.requests} requests, {killed} kills: {right} right masks, {refused} clear errors, "
        f"{options.requests - right - refused} wrong; the longest took {longest:.1f} s; "
        f"left behind: {left or 'nothing'}"
    )
    if right + refused != options.requests or longest > PATIENCE or left:
        raise SystemExit("The proof failed.")


def _run(known: Known, truth: list[np.ndarray], requests: int, kills: int) -> tuple[int, int, float, int]:
    generator = random.Random(0)
    doomed = set(generator.sample(range(1, requests), kills))
    right = refused = killed = 0
    longest = 0.0
    with EngineProcess(MODEL, device="cpu", listener=lambda _: None) as engine:
        engine.endpoint()
        with Client(engine.endpoint) as client:
            typical = 0.1
            for number in range(requests):
                begun = time.perf_counter()
                pid = engine.pid
                if number in doomed and pid is not None:
                    killed += 1
                    threading.Timer(generator.uniform(0, typical), _kill, (pid,)).start()
                try:
                    mask = client.segment(known, clicks(number)).mask.whole(known.shape_ijk)
                    right += np.array_equal(mask, truth[number % 8])
                except MsamError as error:
                    print(f"request {number}: {error}")
                    refused += 1
                    if engine.state == "failed":
                        engine.start()
                took = time.perf_counter() - begun
                longest = max(longest, took)
                if number not in doomed:
                    typical = 0.5 * (typical + took)
    return right, refused, longest, killed


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        print(f"process {pid} had ended before")


def _left() -> set[str]:
    """Names in shared memory, and processes of the engine."""
    names = {entry.name for entry in SHARED.iterdir()} if SHARED.is_dir() else set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if b"msam.service" in (entry / "cmdline").read_bytes():
                names.add(f"process {entry.name}")
        except OSError:
            continue
    return names


if __name__ == "__main__":
    main()
