"""A simple model of what the logic must do with the stand-in engine: whole arrays, whole snapshots, nothing clever."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from msam.protocol.masks import cropped
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.stepping import deepestVoxel

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Snapshot:
    """A segment as it was after a step; its points are those that the mask was made from."""

    points: tuple[Point, ...]
    mask: Bools
    base: Bools | None = None
    baseSeen: tuple[Point, ...] = ()
    grown: int = 0
    goesOn: bool = False


@dataclass
class ModelSegment:
    """A segment: how the last step left it, the points and the voxels there are now."""

    now: Snapshot
    points: tuple[Point, ...] = ()
    voxels: Bools | None = None
    isKnown: bool = False
    lastIdentifier: int = 0


@dataclass
class Model:
    """All segments and the history, in a volume of a diagonal matrix.

    Attributes:
        shape: of the volume, (K, J, I).
        spacing: in mm along i, j, k.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    radius: float
    negativeRadius: float
    stableAfter: int
    segments: dict[str, ModelSegment] = field(default_factory=dict)
    done: list[tuple[str, Snapshot, Snapshot]] = field(default_factory=list)
    undone: list[tuple[str, Snapshot, Snapshot]] = field(default_factory=list)

    def add(self, name: str) -> None:
        """An empty segment."""
        empty = np.zeros(self.shape, bool)
        self.segments[name] = ModelSegment(Snapshot((), empty), voxels=empty.copy())

    def ball(self, place: tuple[float, float, float], radius: float) -> Bools:
        """Voxels within a radius in mm."""
        k, j, i = np.indices(self.shape)
        away = [(at - centre) * step for at, centre, step in zip((i, j, k), place, self.spacing, strict=True)]
        return sum(each**2 for each in away) <= radius**2

    def drawn(self, points: tuple[Point, ...], base: Bools | None, seen: tuple[Point, ...], grown: int) -> Bools:
        """The mask that belongs to points."""
        mask = np.zeros(self.shape, bool) if base is None else base.copy()
        if not mask.any():
            seen = ()
        for point in points:
            if point.positive and point not in seen:
                mask |= self.ball(point.positionIjk, self.radius)
        for _ in range(grown):
            wide = np.pad(mask, 1)
            mask = wide[1:-1, 1:-1, 1:-1].copy()
            for axis in range(3):
                for step in (-1, 1):
                    mask |= np.roll(wide, step, axis)[1:-1, 1:-1, 1:-1]
        for point in points:
            if not point.positive and point not in seen:
                mask &= ~self.ball(point.positionIjk, self.negativeRadius)
        if base is not None and base.any() and not any(point.positive for point in points):
            i, j, k = (int(value) for value in deepestVoxel(cropped(base), self.spacing))
            mask[k, j, i] = True
        ordered = [point for point in points if point in seen] + [point for point in points if point not in seen]
        for point in ordered:
            i, j, k = (int(np.floor(value + 0.5)) for value in point.positionIjk)
            mask[k, j, i] = point.positive
        return mask

    def push(self, name: str, after: Snapshot) -> None:
        """A step."""
        segment = self.segments[name]
        self.done.append((name, segment.now, after))
        self.undone.clear()
        self.put(name, after)

    def put(self, name: str, snapshot: Snapshot) -> None:
        """A segment is as a step left it."""
        segment = self.segments[name]
        segment.now, segment.points, segment.voxels = snapshot, snapshot.points, snapshot.mask.copy()

    def look(self, name: str) -> None:
        """What others did to the voxels since is noted."""
        segment = self.segments[name]
        known = {each: one for each, one in self.segments.items() if one.isKnown}
        edited = not np.array_equal(segment.voxels, segment.now.mask)
        disturbed = any(not np.array_equal(one.voxels, one.now.mask) for one in known.values())
        waiting = segment.points
        if not segment.isKnown:
            segment.isKnown = True
            if edited:
                segment.now = self.byHand(segment)
            return
        if not disturbed:
            return
        steps = self.travelled(known)
        newer = {
            each: [point for point in one.points if point.identifier not in {p.identifier for p in one.now.points}]
            for each, one in known.items()
        }
        for _ in range(abs(steps)):
            source, target = (self.done, self.undone) if steps < 0 else (self.undone, self.done)
            entry = source.pop()
            target.append(entry)
            self.put(entry[0], entry[1] if steps < 0 else entry[2])
        if steps:
            for each, points in newer.items():
                present = {point.identifier for point in self.segments[each].points}
                self.segments[each].points += tuple(point for point in points if point.identifier not in present)
        elif edited:
            self.push(name, self.byHand(segment))
            segment.points = waiting

    def byHand(self, segment: ModelSegment) -> Snapshot:
        """The snapshot of a segment whose voxels someone else made."""
        points = segment.now.points
        base = segment.voxels.copy() if segment.voxels.any() or points else None
        return Snapshot(points, segment.voxels.copy(), base, points)

    def travelled(self, known: dict[str, ModelSegment]) -> int:
        """The fewest steps through the history that explain the voxels there are."""
        best = 0
        for sign, entries in ((-1, self.done), (1, self.undone)):
            masks = {each: one.now.mask for each, one in known.items()}
            for number, (name, before, after) in enumerate(reversed(entries), 1):
                if name in masks:
                    masks[name] = masks[name] ^ (before.mask ^ after.mask)
                if all(np.array_equal(mask, known[each].voxels) for each, mask in masks.items()):
                    if not best or number < abs(best):
                        best = sign * number
                    break
        return best

    def settle(self, name: str) -> None:
        """The points are answered, as far as they can be."""
        segment = self.segments[name]
        now, points = segment.now, segment.points
        if set(points) == set(now.points):
            return
        positive, wasPositive = (any(point.positive for point in some) for some in (points, now.points))
        if not positive and not (now.base is not None and now.base.any()):
            made = now.goesOn or any(point.positive and point not in now.baseSeen for point in now.points)
            if made or not points:
                self.push(name, self.bare(now, points))
            return
        goesOn = now.goesOn and set(now.points) <= set(points) and positive == wasPositive
        unseen = set(points) - set(now.baseSeen)
        whole = not positive or set(now.baseSeen) <= set(points)
        if not goesOn and now.base is not None and not unseen and whole:
            self.push(name, self.bare(now, points))
            return
        grown = now.grown if goesOn else 0
        mask = self.drawn(points, now.base, now.baseSeen, grown)
        self.push(name, replace(now, points=points, mask=mask, grown=grown, goesOn=True))

    def bare(self, now: Snapshot, points: tuple[Point, ...]) -> Snapshot:
        """What lies beneath the points, and nothing else."""
        mask = np.zeros(self.shape, bool) if now.base is None else now.base.copy()
        return replace(now, points=points, mask=mask, grown=0, goesOn=False)

    def refine(self, name: str, iterations: int) -> None:
        """Refinements of a segment whose points are answered."""
        for _ in range(iterations):
            segment = self.segments[name]
            now = segment.now
            grown = min(self.stableAfter, (now.grown if now.goesOn else 0) + 1)
            mask = self.drawn(now.points, now.base, now.baseSeen, grown)
            if np.array_equal(mask, now.mask):
                return
            self.push(name, replace(now, mask=mask, grown=grown, goesOn=True))

    def undo(self, name: str | None) -> bool:
        """Takes a step back; whether there was anything."""
        waiting = [each for each, one in self.segments.items() if set(one.points) != set(one.now.points)]
        if waiting:
            chosen = name if name in waiting else waiting[-1]
            self.segments[chosen].points = self.segments[chosen].now.points
            return True
        if name is not None:
            self.look(name)
        if not self.done:
            return False
        self.look(self.done[-1][0])
        if not self.done:
            return False
        entry = self.done.pop()
        self.undone.append(entry)
        self.put(entry[0], entry[1])
        return True
