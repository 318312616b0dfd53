"""Objects larger than one region: seen whole from afar first, then again at full resolution through windows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from msam.region import Region
from msam.session import zoom
from msam.session.answer import Answer, Float32
from msam.session.carrying import carried
from msam.session.lattice import Index, Lattice, neighbours, overlap, share_of_cells
from msam.session.looking import Looker
from msam.session.prompts import Point, positive_first, positive_positions

# More windows than this are too many for one click; then their spacing is one step coarser.
MOST_WINDOWS = 27
# Layouts of more windows than this, counted with those that need no look, are not even tried.
MOST_ON_LATTICE = 125


def look_through_windows(
    looker: Looker, whole: Answer, points: Sequence[Point], lattice: Region | None
) -> tuple[list[Answer], Region | None]:
    """Looks at the surface of a large object again, more closely.

    Args:
        looker: the network and the volume.
        whole: the answer that shows the whole object.
        points: all points.
        lattice: the origin of the windows of the step before; they are used again where possible, because their
            embeddings are still there.

    Returns:
        The answers of the windows, and the origin of their lattice; none and None when a closer look has no point.
    """
    volume, config = looker.volume, looker.config
    extent = zoom.mask_extent(volume, whole.region, whole.logits)
    content = np.concatenate((extent, positive_positions(points))) if len(extent) else extent
    spacings = zoom.finer_for_windows(volume, config, whole.region, content)
    # An object that goes on beyond what was seen leads to more windows than those known from the start.
    ends = not zoom.touches_border(volume, whole.region, whole.logits)
    most = MOST_WINDOWS if ends else MOST_WINDOWS // 2
    layouts = [Lattice.over(volume, config, spacing, extent) for spacing in spacings]
    if lattice is not None and lattice.spacing in spacings:
        layouts.insert(0, Lattice(lattice))
    for layout in layouts:
        if np.prod([len(indices) for indices in layout.indices(volume, extent)]) > MOST_ON_LATTICE:
            continue
        mosaic = _Mosaic(looker, whole, layout)
        mosaic.show(itertools.product(*layout.indices(volume, extent)))
        if len(mosaic.crossed()) <= most:
            return _look_everywhere(looker, mosaic, positive_first(points)), layout.origin
    return [], None


def deepest_cell(mask: npt.NDArray[np.bool_]) -> Index:
    """The cell with the most layers of a mask around it.

    Args:
        mask: (m, m, m), not empty; nothing of it lies beyond the grid.
    """
    inner = mask
    while inner.any():
        core, padded = inner, np.pad(inner, 1)
        inner = (
            core
            & padded[2:, 1:-1, 1:-1] & padded[:-2, 1:-1, 1:-1]
            & padded[1:-1, 2:, 1:-1] & padded[1:-1, :-2, 1:-1]
            & padded[1:-1, 1:-1, 2:] & padded[1:-1, 1:-1, :-2]
        )  # fmt: skip
    cells = np.argwhere(core)
    r, a, s = cells[np.linalg.norm(cells - cells.mean(axis=0), axis=1).argmin()]
    return int(r), int(a), int(s)


class _Mosaic:
    """What is known of the object in every window: from afar, and from its neighbours once these have been seen."""

    def __init__(self, looker: Looker, whole: Answer, lattice: Lattice) -> None:
        self.windows: dict[Index, Region] = {}
        self.known: dict[Index, Float32] = {}
        self.answers: dict[Index, Answer] = {}
        self._looker = looker
        self._whole = whole
        self._lattice = lattice
        self._from_afar: dict[Index, Float32] = {}
        self._share = share_of_cells(looker.config.mask_size)
        self._waiting: set[Index] = set()
        self._done: set[Index] = set()

    def show(self, indices: Iterable[Index]) -> None:
        """Takes windows into view."""
        for index in indices:
            if index in self.windows:
                continue
            region = self._lattice.window(self._looker.volume, index)
            from_afar = carried(self._looker.volume, self._whole, region)
            self.windows[index], self._from_afar[index], self.known[index] = region, from_afar, from_afar.copy()
            for neighbour in neighbours(index):
                if neighbour in self.answers:
                    self._tell(neighbour, index)
            self._judge(index)

    def crossed(self) -> set[Index]:
        """The windows still to be seen: those in which the object ends, as far as is known."""
        return self._waiting

    def done(self, index: Index, answer: Answer | None) -> None:
        """Passes on what a window has shown; None when that is not to be trusted."""
        self._done.add(index)
        self._waiting.discard(index)
        if answer is None:
            return
        self.answers[index] = answer
        for neighbour in neighbours(index):
            if neighbour in self.windows and neighbour not in self._done:
                self._tell(index, neighbour)
                self._judge(neighbour)
        self.show(neighbours(index))

    def _tell(self, seen: Index, index: Index) -> None:
        """Puts what a window has shown in the place of what was known of its neighbour, where they overlap."""
        m = len(self._share)
        along = [overlap(there - here, m) for here, there in zip(seen, index, strict=True)]
        theirs, own = tuple(pair[0] for pair in along), tuple(pair[1] for pair in along)
        answered = self.answers[seen].logits[theirs] - self._from_afar[index][own]
        self.known[index][own] += self._share[theirs] * answered

    def _judge(self, index: Index) -> None:
        known = self.known[index]
        inside = zoom.cells_inside(self._looker.volume, self.windows[index], len(known))
        mask = known[np.ix_(*inside)] > 0
        if mask.any() and not mask.all():
            self._waiting.add(index)
        else:
            self._waiting.discard(index)


def _look_everywhere(looker: Looker, mosaic: _Mosaic, points: Sequence[Point]) -> list[Answer]:
    """Looks through the windows from the first click outwards, as far as the object's surface leads."""
    start = np.asarray(points[0].position_ijk)
    for looks in range(MOST_WINDOWS):
        crossed = mosaic.crossed()
        if not crossed:
            break
        expected = min(MOST_WINDOWS, looks + len(crossed))
        looker.run.report(looks / expected, f"Looking closely: {looks + 1} of {expected}")
        index = min(crossed, key=lambda one: (_distance(looker, mosaic.windows[one], start), one))
        answer = _look(looker, mosaic.windows[index], mosaic.known[index], points)
        mosaic.done(index, answer if zoom.trusted(mosaic.known[index], answer.logits) else None)
    return list(mosaic.answers.values())


def _look(looker: Looker, region: Region, known: Float32, points: Sequence[Point]) -> Answer:
    """One window, with the clicks in it, or one in the depth of the object for want of a positive click."""
    clicks = [point for point in points if region.contains(looker.volume, point.position_ijk)]
    if any(point.positive for point in clicks):
        clicks = list(positive_first(clicks))
    else:
        cell = (np.asarray(deepest_cell(known > 0)) + 0.5) * region.size / len(known) - 0.5
        i, j, k = (float(value) for value in region.to_ijk(looker.volume, cell))
        clicks.insert(0, Point(0, (i, j, k), True))
    if looker.config.clicks_per_step == "all":
        return looker.look(region, clicks, known)
    answer = looker.look(region, clicks[:1], known)
    for click in clicks[1:]:
        answer = looker.look(region, [click], answer.logits)
    return answer


def _distance(looker: Looker, region: Region, ijk: npt.NDArray[np.float64]) -> float:
    """From the middle of a region to a position, in mm."""
    return round(float(np.linalg.norm((np.asarray(region.centre) - ijk) * looker.volume.spacing)), 3)
