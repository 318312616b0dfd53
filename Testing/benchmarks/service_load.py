"""Many clients at once: no errors, the right masks, flat memory; and how long a click takes, beside one client alone.

python -m Testing.benchmarks.service_load [--clients 16] [--minutes 10]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from msam.client import Client, Known
from msam.engine_process import EngineProcess
from msam.errors import MsamError
from Testing.benchmarks.service_scene import ENVIRONMENT, clicks, expected, scan, small_model

VOLUMES = 4
ALONE_CLICKS = 50
# Memory may grow by this much after the first quarter of the time: allocators are not exact.
GROWTH = 64 << 20


@dataclass
class Tally:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    wrong: int = 0
    errors: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = small_model(Path(folder))
        volumes = [scan(seed) for seed in range(VOLUMES)]
        truth = [expected(model, volume) for volume in volumes]
        known = [Known.of(volume) for volume in volumes]
        with EngineProcess(str(model), device="cpu", base_environment=ENVIRONMENT, listener=lambda _: None) as engine:
            alone = Tally()
            _click(engine, known, truth, alone, 0, lambda: len(alone.seconds) >= ALONE_CLICKS)
            together, memory = _together(engine, known, truth, options.clients, 60 * options.minutes)
    _show(alone, together, options.clients, memory)
    grown = max(memory) - memory[len(memory) // 4]
    if alone.wrong or together.wrong or alone.errors or together.errors or grown > GROWTH:
        raise SystemExit(f"The proof failed: {together.errors[:3]}")


def _together(
    engine: EngineProcess, known: list[Known], truth: list[list[np.ndarray]], clients: int, seconds: float
) -> tuple[Tally, list[int]]:
    tally, memory, end = Tally(), [], time.monotonic() + seconds
    threads = [
        threading.Thread(target=_click, args=(engine, known, truth, tally, number, lambda: time.monotonic() > end))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    with Client(engine.endpoint) as client:
        while any(thread.is_alive() for thread in threads):
            memory.append(client.health().memory.process or 0)
            time.sleep(min(5.0, seconds / 20))
    return tally, memory


def _click(engine, known, truth, tally, number, enough) -> None:
    """One client: a click after the other until it is enough."""
    with Client(engine.endpoint) as client:
        while not enough():
            which, number = number % VOLUMES, number + 1
            begun = time.perf_counter()
            try:
                reply = client.segment(known[which], clicks(number))
            except MsamError as error:
                tally.errors.append(str(error))
                continue
            took = time.perf_counter() - begun
            timings = reply.header.timings
            tally.seconds.append(took)
            tally.overhead.append(took - timings["total"] - timings["waiting"])
            tally.wrong += not np.array_equal(reply.mask.whole(known[which].shape_ijk), truth[which][number % 8])


def _show(alone: Tally, together: Tally, clients: int, memory: list[int]) -> None:
    table = Table("", "clicks", "p50", "p95", "service's share p50", "p95", "wrong", "errors")
    for name, tally in (("one client", alone), (f"{clients} clients", together)):
        spans = [*np.percentile(tally.seconds, (50, 95)), *np.percentile(tally.overhead, (50, 95))]
        table.add_row(
            name,
            str(len(tally.seconds)),
            *(f"{1000 * value:.1f} ms" for value in spans),
            str(tally.wrong),
            str(len(tally.errors)),
        )
    Console().print(table)
    early, most = memory[len(memory) // 4] >> 20, max(memory) >> 20
    print(f"memory of the engine: {early} MiB after a quarter of the time, {most} MiB at most")


if __name__ == "__main__":
    main()
