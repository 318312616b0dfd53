"""Many clients at once: no errors, the right masks, flat memory; and how long a click takes, beside one client alone.

python -m Testing.benchmarks.service_load [--clients 16] [--minutes 10]

The last line of what it prints are the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table

from msam.client import Client, Known
from msam.engine_process import EngineProcess
from msam.errors import MsamError
from msam.volume import Volume
from Testing.benchmarks.service_scene import MODEL, clicks, expected, scan

VOLUMES = 4
ALONE_CLICKS = 50
# Memory may grow by this much after the first quarter of the time: allocators are not exact.
GROWTH = 64 << 20
# A large CT, to be handed over in memory.
LARGE_KJI = (400, 512, 512)
LARGE_VOLUMES = 5


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
    volumes = [scan(seed) for seed in range(VOLUMES)]
    truth = [expected(volume) for volume in volumes]
    known = [Known.of(volume) for volume in volumes]
    with EngineProcess(MODEL, device="cpu", listener=lambda _: None) as engine:
        alone = Tally()
        _click(engine, known, truth, alone, 0, lambda: len(alone.seconds) >= ALONE_CLICKS)
        handed = _hand_over(engine)
        together, memory = _together(engine, known, truth, options.clients, 60 * options.minutes)
    _show(alone, together, options.clients, memory)
    spread = f"{handed[LARGE_VOLUMES // 2]:.2f} s ({handed[0]:.2f} to {handed[-1]:.2f})"
    print(f"handing over {LARGE_KJI[2]} x {LARGE_KJI[1]} x {LARGE_KJI[0]} int16 in memory: {spread}")
    grown = max(memory) - memory[len(memory) // 4]
    if alone.wrong or together.wrong or alone.errors or together.errors or grown > GROWTH:
        raise SystemExit(f"The proof failed: {together.errors[:3]}")
    figures = {
        "hand-over": handed[LARGE_VOLUMES // 2],
        "one client": _spans(alone),
        f"{options.clients} clients": _spans(together),
    }
    print(json.dumps(figures))


def _hand_over(engine: EngineProcess) -> list[float]:
    """Seconds from large volumes in this process, hashing included, to their being ready in the engine's, sorted.

    The first ones can take longer, where the system has to find memory that nobody has used before.
    """
    voxels, seconds = np.random.default_rng(0).integers(-1000, 2000, LARGE_KJI, dtype=np.int16), []
    with Client(engine.endpoint) as client:
        client.health()
        for number in range(LARGE_VOLUMES):
            voxels[0, 0, 0] = number
            begun = time.perf_counter()
            client.upload(Known.of(Volume(voxels, np.eye(4), "CT")))
            seconds.append(time.perf_counter() - begun)
    return sorted(seconds)


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


def _spans(tally: Tally) -> dict[str, float]:
    """Seconds a click, and the service's share of them: everything but computing and waiting for the device."""
    spans = *np.percentile(tally.seconds, (50, 95)), *np.percentile(tally.overhead, (50, 95))
    return dict(zip(("click p50", "click p95", "overhead p50", "overhead p95"), map(float, spans), strict=True))


def _show(alone: Tally, together: Tally, clients: int, memory: list[int]) -> None:
    table = Table("", "clicks", "p50", "p95", "service's share p50", "p95", "wrong", "errors")
    for name, tally in (("one client", alone), (f"{clients} clients", together)):
        table.add_row(
            name,
            str(len(tally.seconds)),
            *(f"{1000 * value:.1f} ms" for value in _spans(tally).values()),
            str(tally.wrong),
            str(len(tally.errors)),
        )
    Console().print(table)
    early, most = memory[len(memory) // 4] >> 20, max(memory) >> 20
    print(f"memory of the engine: {early} MiB after a quarter of the time, {most} MiB at most")


if __name__ == "__main__":
    main()
