"""`make benchmark`: how fast the engine is, and how much memory it takes, beside the published way of computing it.

Every measurement runs in a process of its own, one after the other, on the same threads; times are medians. The table
goes to the screen, the figures to benchmark-output/benchmark.json.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "benchmark-output" / "benchmark.json"
THREADS = 2
MODELS = ("vit_b", "compact")


def measure(*arguments: str) -> dict[str, float]:
    """What one run of `measurements.py` printed."""
    figures: dict[str, float] = printed_by("measurements", *arguments, "--threads", str(THREADS))
    return figures


def printed_by(module: str, *arguments: str) -> Any:
    """The JSON in the last line that one of these modules prints."""
    command = [sys.executable, "-m", f"Testing.benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The measurement '{module} {' '.join(arguments)}' failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    console = Console()
    figures: dict[str, dict[str, float]] = {}
    for model in MODELS:
        for way in ("engine", "published"):
            console.print(f"Measuring {model}, {way} …")
            figures[f"{model} {way}"] = measure(way, model)
    console.print("Measuring the start of the process to the first mask …")
    figures["first mask"] = measure("first-mask", "compact")
    console.print("Measuring the service, alone and under load …")
    service = printed_by("service_load", "--minutes", "0.5")
    console.print("Measuring the page and the scene …")
    waits = printed_by("page") | printed_by("replacing")

    table = Table(title=f"Seconds, and MB of memory, on {THREADS} threads")
    for heading in ("model", "what", "engine", "published way", "ratio"):
        table.add_column(heading, justify="left" if heading in ("model", "what") else "right")
    for model in MODELS:
        ours, theirs = figures[f"{model} engine"], figures[f"{model} published"]
        for what in ("encode", "step", "second click", "encode adds MB"):
            digits = 0 if what.endswith("MB") else 3
            ratio = theirs[what] / max(ours[what], 1e-9)
            table.add_row(model, what, f"{ours[what]:.{digits}f}", f"{theirs[what]:.{digits}f}", f"{ratio:.1f}")
    first = figures["first mask"]
    table.add_row(
        "compact",
        f"process start to first mask, {first['megavoxels']:.0f} Mvoxel CT",
        f"{first['seconds']:.2f}",
        "",
        "",
    )
    console.print(table)
    console.print(_service_table(service))
    console.print(_waits_table(waits))

    OUTPUT.parent.mkdir(exist_ok=True)
    machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
    OUTPUT.write_text(
        json.dumps(
            {"threads": THREADS, "machine": machine, "figures": figures, "service": service, "waits": waits}, indent=2
        )
        + "\n"
    )
    console.print(f"Figures: {OUTPUT.relative_to(ROOT)}")


def _service_table(service: dict[str, Any]) -> Table:
    table = Table(title="Milliseconds a click through the service (the model compact)")
    for heading in ("", "click p50", "click p95", "overhead p50", "overhead p95"):
        table.add_column(heading, justify="right" if heading else "left")
    for who, spans in service.items():
        if isinstance(spans, dict):
            table.add_row(who, *(f"{1000 * seconds:.1f}" for seconds in spans.values()))
    table.add_row("handing over 512 × 512 × 400", f"{1000 * service['hand-over']:.0f}")
    return table


def _waits_table(waits: dict[str, float]) -> Table:
    table = Table(title="Seconds in the page and in the scene, without the engine")
    for heading in ("what", "seconds"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, seconds in waits.items():
        table.add_row(what, f"{seconds:.3f}")
    return table


if __name__ == "__main__":
    main()
