"""One lesion of one scan, from clicks to numbers: what `segment` and `batch` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from msam.clicks import Click
from msam.measurements import Measurements, measure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from msam.model.model import Model
    from msam.session import Point, Result
    from msam.volume import Volume

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Outcome:
    """A finished segmentation: its mask (K, J, I), the points it came from, and what is to be said about it."""

    mask: npt.NDArray[np.bool_]
    points: tuple[Point, ...]
    result: Result
    iterations: int
    measurements: Measurements

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; ends of diameters are (i, j, k)."""
        return {
            **self.measurements.to_dict(),
            "quality": round(float(self.result.quality), 4),
            "empty": self.result.is_empty,
            "message": self.result.message,
            "iterations": self.iterations,
            "points": [
                {"ijk": [float(value) for value in point.position_ijk], "positive": point.positive}
                for point in self.points
            ],
        }


def run(
    model: Model,
    volume: Volume,
    clicks: Sequence[Click],
    *,
    refine: int,
    mask_prompt: npt.NDArray[np.bool_] | None = None,
    report: Report | None = None,
) -> Outcome:
    """Segments what the clicks show, and refines it.

    Raises:
        MsamError: a click outside the scan, no positive one, or a scan that cannot be segmented.
    """
    from msam.session import Session

    reached, share = 0.0, 0.5 if refine else 1.0

    def overall(done: float, text: str) -> None:
        if report is not None:
            report(reached + share * done, text)

    session = Session(model, volume, progress=overall)
    if mask_prompt is not None:
        session.set_mask(mask_prompt)
    for click in clicks:
        session.add_point(click.position, click.positive, click.frame)
    result = session.segment()
    iterations = result.iterations
    if refine and not result.is_empty:
        reached = share
        result = session.refine(refine)
        iterations += result.iterations
    mask = session.mask
    return Outcome(mask, session.points, result, iterations, measure(mask, volume))


@contextmanager
def progress_bar(first: str) -> Iterator[Report]:
    """A bar on stderr while a scan is worked on; nothing where stderr is not a terminal.

    Yields:
        What takes the share done, 0 to 1, and what is being done.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(first, total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=text or first)
