"""A scan of one bright ball, small enough that a command works on it in no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

SHAPE_IJK = (48, 40, 30)
SPACING = (1.0, 1.25, 2.0)
ORIGIN_LPS = (-20.0, 10.0, -35.0)
CENTRE_IJK = (24, 18, 14)
RADIUS_MM = 9.0
OUTSIDE_IJK = (4, 4, 4)


def ball() -> np.ndarray:
    """The ball as a mask (K, J, I)."""
    k, j, i = np.indices(SHAPE_IJK[::-1])
    steps = [(axis - centre) * step for axis, centre, step in zip((i, j, k), CENTRE_IJK, SPACING, strict=True)]
    return np.asarray(np.sqrt(sum(step**2 for step in steps)) <= RADIUS_MM)


def write_scan(path: Path, *, bright: int = 400, dark: int = 100) -> Path:
    """Writes the scan; its axes point to the left, backwards and upwards."""
    image = sitk.GetImageFromArray(np.where(ball(), bright, dark).astype(np.int16))
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN_LPS)
    sitk.WriteImage(image, str(path))
    return path


def lps(ijk: tuple[float, float, float]) -> tuple[float, ...]:
    """Where a voxel of the scan lies, in mm in LPS."""
    return tuple(origin + index * step for origin, index, step in zip(ORIGIN_LPS, ijk, SPACING, strict=True))


def ras(ijk: tuple[float, float, float]) -> tuple[float, ...]:
    """Where a voxel of the scan lies, in mm in RAS."""
    left, back, up = lps(ijk)
    return -left, -back, up


def written(numbers: tuple[float, ...]) -> str:
    """As the command line takes it: `24,18,14`."""
    return ",".join(f"{number:g}" for number in numbers)
