"""Clicks: where they are, what they say, and what makes one unusable."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from msam import geometry
from msam.errors import PromptError
from msam.volume import Frame, Volume

Position = tuple[float, float, float]


@dataclass(frozen=True)
class Point:
    """One click.

    Attributes:
        id: names the point for as long as it exists; it plays no part in the segmentation.
        position_ijk: in voxels (i, j, k) of the volume, not rounded.
        positive: True for "this belongs to the lesion", False for "this does not".
    """

    id: int
    position_ijk: Position
    positive: bool = True


@dataclass(frozen=True)
class Prompts:
    """The clicks on one lesion in the order of their placement. Every change gives a new collection."""

    points: tuple[Point, ...] = ()
    next_id: int = 1

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def add(self, volume: Volume, position: npt.ArrayLike, positive: bool = True, frame: Frame = "ijk") -> Prompts:
        """With one more point, whose id is the `next_id` of before.

        Raises:
            PromptError: not three finite numbers, or outside the volume.
        """
        point = Point(self.next_id, position_inside(volume, position, frame), bool(positive))
        return Prompts((*self.points, point), self.next_id + 1)

    def move(self, volume: Volume, point_id: int, position: npt.ArrayLike, frame: Frame = "ijk") -> Prompts:
        """With a point elsewhere; it keeps its place in the order.

        Raises:
            PromptError: there is no such point, or the position is unusable.
        """
        index = self._index(point_id)
        moved = replace(self.points[index], position_ijk=position_inside(volume, position, frame))
        return replace(self, points=(*self.points[:index], moved, *self.points[index + 1 :]))

    def remove(self, point_id: int) -> Prompts:
        """Without a point. Its id is not given again.

        Raises:
            PromptError: there is no such point.
        """
        index = self._index(point_id)
        return replace(self, points=(*self.points[:index], *self.points[index + 1 :]))

    def _index(self, point_id: int) -> int:
        for index, point in enumerate(self.points):
            if point.id == point_id:
                return index
        known = ", ".join(str(point.id) for point in self.points) or "none"
        raise PromptError(f"There is no point with the id {point_id}; the points placed are: {known}.")


def position_inside(volume: Volume, position: npt.ArrayLike, frame: Frame) -> Position:
    """A position as voxels (i, j, k), checked to lie in the volume.

    Raises:
        PromptError: not three finite numbers, or outside the volume; then with the bounds in the caller's frame.
    """
    i, j, k = (float(value) for value in volume.to_ijk(position, frame))
    if not volume.contains((i, j, k)):
        given = ", ".join(f"{value:g}" for value in np.asarray(position, dtype=np.float64))
        raise PromptError(
            f"The point ({given}) in {frame} lies outside the volume, which reaches {_bounds(volume, frame)}. "
            "Place it inside the volume."
        )
    return i, j, k


def check_points(volume: Volume, points: Sequence[Point]) -> None:
    """Makes sure that a segmentation can start from these points.

    Raises:
        PromptError: a point outside the volume or not finite, or no positive point.
    """
    for point in points:
        position_inside(volume, point.position_ijk, "ijk")
    if not any(point.positive for point in points):
        raise PromptError("There is no positive point. Place at least one point inside the lesion.")


def positive_first(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points in their order, but starting with the first positive one if there is any.

    Without a mask to go on from, a negative point has nothing to take away from.
    """
    first = next((number for number, point in enumerate(points) if point.positive), 0)
    return (*points[first : first + 1], *points[:first], *points[first + 1 :])


def positive_positions(points: Sequence[Point]) -> npt.NDArray[np.float64]:
    """Where the positive points are, (N, 3) in voxels (i, j, k)."""
    return np.array([point.position_ijk for point in points if point.positive], dtype=np.float64).reshape(-1, 3)


def digest(points: Sequence[Point]) -> str:
    """A short fingerprint of positions and labels in their order; ids do not matter."""
    packed = b"".join(struct.pack("<3d?", *point.position_ijk, point.positive) for point in points)
    return hashlib.sha256(packed).hexdigest()[:32]


def _bounds(volume: Volume, frame: Frame) -> str:
    lengths = np.asarray(volume.shape_ijk)
    if frame == "ijk":
        return ", ".join(f"from {axis} = 0 to {last}" for axis, last in zip("ijk", lengths - 1, strict=True))
    corners = np.array(list(itertools.product(*((-0.5, length - 0.5) for length in lengths))))
    to_world = volume.ijk_to_ras if frame == "ras" else geometry.RAS_FROM_LPS @ volume.ijk_to_ras
    world = geometry.transform(to_world, corners)
    spans = zip(frame.upper(), world.min(axis=0), world.max(axis=0), strict=True)
    return ", ".join(f"from {axis} = {low:.1f} to {high:.1f} mm" for axis, low, high in spans)
