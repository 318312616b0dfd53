"""Numbers for Prometheus, in its text format."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable

Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
HELP = {
    "msam_requests_total": "Requests answered.",
    "msam_request_seconds": "Seconds from a request's header to the end of its answer.",
    "msam_runs_total": "Runs that a device has dealt with.",
    "msam_run_seconds": "Seconds of a step that a device has computed.",
    "msam_waiting": "Runs that wait for a device.",
    "msam_volumes": "Volumes held.",
    "msam_volumes_bytes": "Bytes of volumes held or on their way.",
    "msam_embeddings_bytes": "Bytes of embeddings held.",
    "msam_process_bytes": "Memory of the process.",
}


class Metrics:
    """Counters and histograms. Any thread may use it."""

    def __init__(self) -> None:
        self._counters: defaultdict[str, defaultdict[Labels, int]] = defaultdict(lambda: defaultdict(int))
        self._buckets: defaultdict[str, defaultdict[Labels, list[int]]] = defaultdict(
            lambda: defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        )
        self._sums: defaultdict[str, defaultdict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._lock = threading.Lock()

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Adds to a counter. One that is there from the start, with 0, shows its first event as an increase."""
        with self._lock:
            self._counters[name][_sorted(labels)] += by

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Adds a duration to a histogram."""
        key = _sorted(labels)
        with self._lock:
            self._sums[name][key] += seconds
            self._buckets[name][key][sum(seconds > bound for bound in BUCKETS)] += 1

    def text(self, gauges: dict[str, int]) -> str:
        """Everything, with the gauges of this moment."""
        lines: list[str] = []
        with self._lock:
            for name, counts in self._counters.items():
                lines += _heading(name, "counter")
                lines += [f"{name}{_labelled(labels)} {value}" for labels, value in counts.items()]
            for name, histograms in self._buckets.items():
                lines += _heading(name, "histogram")
                for labels, counted in histograms.items():
                    lines += _histogram(name, labels, counted, self._sums[name][labels])
        for name, value in gauges.items():
            lines += [*_heading(name, "gauge"), f"{name} {value}"]
        return "\n".join(lines) + "\n"


def _histogram(name: str, labels: Labels, counted: list[int], total: float) -> Iterable[str]:
    below = 0
    for bound, number in zip((*(f"{bound:g}" for bound in BUCKETS), "+Inf"), counted, strict=True):
        below += number
        yield f"{name}_bucket{_labelled((*labels, ('le', bound)))} {below}"
    yield f"{name}_sum{_labelled(labels)} {total:.6f}"
    yield f"{name}_count{_labelled(labels)} {below}"


def _heading(name: str, kind: str) -> list[str]:
    return [f"# HELP {name} {HELP[name]}", f"# TYPE {name} {kind}"]


def _labelled(labels: Labels) -> str:
    # Values are paths of the protocol, methods, codes and outcomes: nothing that a client could choose.
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}" if labels else ""


def _sorted(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))
