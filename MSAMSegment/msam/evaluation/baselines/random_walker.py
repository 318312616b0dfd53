"""Random walker segmentation from clicks (Grady, Random Walks for Image Segmentation, IEEE TPAMI 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.clicks import Click
from msam.region import Region, cut, paste
from msam.volume import Volume

Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Chosen once on the training split, by the mean Dice of all data sets after one, three and five clicks.
REACH_MM = 60.0
NODES = 48
SHARPNESS = 100.0
SEED_RADIUS = 4.0  # in nodes

# The least weight of an edge, so that no part of the grid is cut off.
LEAST_WEIGHT = 1e-5
TOLERANCE = 1e-4
MOST_ITERATIONS = 1000


def random_walker(volume: Volume, clicks: Sequence[Click]) -> Mask:
    """The voxels from which a random walker that avoids edges reaches a positive click before the background.

    Worked out on a grid of cubes that covers what is within reach of the clicks. Positive clicks are seeds of the
    object, negative ones of the background, and so is the border of that grid or the scan: without it a single
    positive click would be all there is.

    Args:
        volume: the scan.
        clicks: in voxels (i, j, k); at least one is positive.

    Returns:
        (K, J, I) bool.
    """
    region = _region(volume, clicks)
    inside = region.inside(volume)
    image = cut(volume, region)
    deviation = float(image[inside].std()) or 1.0
    seeds = np.where(_border(inside), 0.0, np.nan).astype(np.float32)
    # In their order: where two balls meet, the later click decides, but positive clicks are never painted over.
    for click in sorted(clicks, key=lambda click: click.positive):
        seeds[_ball(region.to_roi(volume, click.position), region.size)] = float(click.positive)
    probability = solve(image / deviation, seeds)
    mask = np.zeros(volume.voxels.shape, dtype=bool)
    ((i0, i1), (j0, j1), (k0, k1)), within = paste(probability - 0.5, volume, region)
    mask[k0:k1, j0:j1, i0:i1] = within > 0
    return mask


def solve(image: Field, seeds: Field, sharpness: float = SHARPNESS) -> Field:
    """The probability of reaching a seed of the object first, from every node of a grid.

    Solves the combinatorial Dirichlet problem by conjugate gradients, preconditioned by the diagonal; the weight of an
    edge is exp(-sharpness · difference²).

    Args:
        image: (A, B, C) intensities.
        seeds: (A, B, C), 1 for the object, 0 for the background, NaN elsewhere.
        sharpness: how much less likely a step across a difference of one is.

    Returns:
        (A, B, C), 0 to 1.
    """
    weights = [np.exp(-sharpness * np.diff(image, axis=axis) ** 2) + np.float32(LEAST_WEIGHT) for axis in range(3)]
    free = np.isnan(seeds)
    diagonal = np.zeros_like(image)
    for axis, weight in enumerate(weights):
        low, high = _ends(axis)
        diagonal[low] += weight
        diagonal[high] += weight

    def laplacian(values: Field) -> Field:
        result = diagonal * values
        for axis, weight in enumerate(weights):
            low, high = _ends(axis)
            result[low] -= weight * values[high]
            result[high] -= weight * values[low]
        return result * free

    known = np.where(free, np.float32(0), seeds)
    solution = np.zeros_like(image)
    residual = -laplacian(known)
    scaled = residual / diagonal
    direction = scaled
    product = float(np.vdot(residual, scaled))
    goal = product * TOLERANCE**2
    for _ in range(MOST_ITERATIONS):
        if product <= goal:
            break
        image_of_direction = laplacian(direction)
        step = product / float(np.vdot(direction, image_of_direction))
        solution = solution + step * direction
        residual = residual - step * image_of_direction
        scaled = residual / diagonal
        before, product = product, float(np.vdot(residual, scaled))
        direction = scaled + product / before * direction
    return np.where(free, solution, known)


def _region(volume: Volume, clicks: Sequence[Click]) -> Region:
    """The cube over all that is within reach of the clicks and inside the scan."""
    positions = np.array([click.position for click in clicks])
    reach = REACH_MM / volume.spacing
    low = np.maximum(positions.min(axis=0) - reach, -0.5)
    high = np.minimum(positions.max(axis=0) + reach, np.array(volume.shape_ijk) - 0.5)
    longest = float(((high - low) * volume.spacing).max())
    return Region.around((low + high) / 2, NODES, longest / (NODES - 1))


def _border(inside: Mask) -> Mask:
    """All nodes but those that have six neighbours inside the scan."""
    inner = inside.copy()
    padded = np.pad(inside, 1)
    for axis in range(3):
        for shift in (-1, 1):
            inner &= np.roll(padded, shift, axis)[1:-1, 1:-1, 1:-1]
    return ~inner


def _ball(centre: npt.NDArray[np.floating[Any]], size: int) -> Mask:
    along = [(np.arange(size) - position) ** 2 for position in centre]
    squares = along[0][:, None, None] + along[1][:, None] + along[2]
    return np.asarray(squares <= max(SEED_RADIUS**2, float(squares.min())))


def _ends(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """For each edge along an axis, its lower and its higher node."""
    every = (slice(None),) * axis
    return (*every, slice(None, -1)), (*every, slice(1, None))
