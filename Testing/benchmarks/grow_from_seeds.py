"""3D Slicer's Grow from seeds as a baseline: `--program "grow=python -m Testing.benchmarks.grow_from_seeds"`.

It runs in a program of its own because the engine imports neither Slicer nor VTK. It needs `slicer-core`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from Testing.benchmarks.answering import answer

INSIDE, OUTSIDE = 1, 2
# Grow from seeds needs seeds of the background too, which a user would paint around the object. Here they are the
# border of what is within reach of the clicks, as for the random walker.
REACH_MM = 60.0
# A click is painted as a ball. Radius and locality were chosen once, on the training split.
RADIUS_MM = 4.0
LOCALITY = 0.0


def grow_from_seeds(
    voxels: np.ndarray, request: dict[str, Any], radius: float = RADIUS_MM, locality: float = LOCALITY
) -> np.ndarray:
    """The voxels (K, J, I) that the seeds of the object reach before those of the background."""
    spacing = np.asarray(request["spacing"])
    clicks = np.array([click["ijk"] for click in request["clicks"]])
    reach = np.ceil(REACH_MM / spacing).astype(int)
    low = np.maximum(clicks.min(axis=0) - reach, 0)
    high = np.minimum(clicks.max(axis=0) + reach + 1, voxels.shape[::-1])
    where = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
    part = np.ascontiguousarray(voxels[where])

    seeds = np.full(part.shape, OUTSIDE, np.uint8)
    seeds[2:-2, 2:-2, 2:-2] = 0  # two voxels: the filter does not grow from the outermost ones
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in part.shape), indexing="ij"), axis=-1)[..., ::-1]
    # In their order: where two balls meet, the later click decides, but positive clicks are never painted over.
    for click in sorted(request["clicks"], key=lambda click: click["positive"]):
        squares = (((grid - (np.array(click["ijk"]) - low)) * spacing) ** 2).sum(axis=-1)
        seeds[squares <= max(radius**2, float(squares.min()))] = INSIDE if click["positive"] else OUTSIDE

    filter_ = slicer.vtkImageGrowCutSegment()
    filter_.SetIntensityVolume(_image(part, spacing))
    filter_.SetSeedLabelVolume(_image(seeds, spacing))
    filter_.SetDistancePenalty(locality)
    filter_.Update()
    labels = vtk_to_numpy(filter_.GetOutput().GetPointData().GetScalars()).reshape(part.shape)
    mask = np.zeros(voxels.shape, bool)
    mask[where] = labels == INSIDE
    return mask


def _image(voxels: np.ndarray, spacing: np.ndarray) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(voxels.shape[::-1])
    image.SetSpacing(spacing)
    image.GetPointData().SetScalars(numpy_to_vtk(voxels.ravel(), deep=True))
    return image


if __name__ == "__main__":
    answer("clicks", grow_from_seeds, "has seeds of the background too: the border of what is 60 mm around the clicks")
