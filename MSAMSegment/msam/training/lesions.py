"""Procedural lesions: random shapes, textures and contrasts, painted into regions of real scans or of noise.

The labelled tumours are large and few; these teach what a small lesion is, in any tissue and any modality.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Of a lesion, as shares of a region's side: from a few voxels to most of what a region shows.
RADII = (0.035, 0.34)


def smooth_noise(size: int, cells: int, generator: torch.Generator) -> Tensor:
    """Noise of unit deviation that varies over `size / cells` voxels: (size, size, size)."""
    coarse = torch.randn(1, 1, cells, cells, cells, generator=generator)
    return F.interpolate(coarse, size=(size,) * 3, mode="trilinear", align_corners=False)[0, 0]


def blob(size: int, centre: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """A random lesion as a soft occupancy 0 … 1, (size, size, size).

    Args:
        size: voxels along each side.
        centre: (3,) in voxels.
        radius: mean radius in voxels.
        generator: source of randomness.
    """
    axis = torch.arange(size, dtype=torch.float32)
    offset = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1) - centre
    stretch = torch.exp(0.25 * torch.randn(3, generator=generator))
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
    distance = ((offset @ rotation) / (stretch * radius)).norm(dim=-1)
    roughness = float(torch.rand((), generator=generator)) * 0.35
    cells = max(3, min(size // 2, int(size / max(radius, 2.0))))
    distance = distance + roughness * smooth_noise(size, cells, generator)
    # From sharp to as soft as thick slices look at a fine spacing.
    edge = math.exp(float(torch.empty(()).uniform_(-1.2, 1.6, generator=generator)))  # voxels
    return torch.sigmoid((1 - distance) * radius / (0.5 * edge))


def _log_uniform(low: float, high: float, generator: torch.Generator) -> float:
    return math.exp(float(torch.empty(()).uniform_(math.log(low), math.log(high), generator=generator)))


def paint_lesion(
    roi: Tensor, generator: torch.Generator, radii: tuple[float, float] = RADII
) -> tuple[Tensor, Tensor, Tensor]:
    """Paints a lesion into raw intensities.

    Args:
        roi: (S, S, S) raw intensities.
        generator: source of randomness.
        radii: the smallest and the largest mean radius, as shares of S.

    Returns:
        The region with the lesion, its mask (bool) and its centre (3,) in voxels.
    """
    size = len(roi)
    scale = float(roi.std()) or 1.0
    radius = size * _log_uniform(*radii, generator)
    centre = size / 2 + size * 0.12 * torch.randn(3, generator=generator)
    occupancy = blob(size, centre, radius, generator)
    mask = occupancy > 0.5
    if not mask.any():
        mask = occupancy >= occupancy.max()
    inside = roi[mask]
    contrast = _log_uniform(0.35, 5.0, generator) * scale
    contrast = contrast if float(torch.rand((), generator=generator)) < 0.65 else -contrast
    # From even, as cysts and phantoms are, to mottled.
    unevenness = 0.25 * float(torch.rand((), generator=generator))
    texture = smooth_noise(size, size // 4, generator) * unevenness * abs(contrast)
    # Half the time the tissue shines through, half the time the lesion replaces it.
    keep = float(torch.rand((), generator=generator)) < 0.5
    body = (roi if keep else inside.mean()) + contrast + texture
    core = float(torch.rand((), generator=generator))
    if core < 0.2 and radius > 4:  # a necrotic or cavitating centre
        body = body - 0.7 * contrast * blob(size, centre, radius * 0.5, generator)
    return roi + occupancy * (body - roi), mask, centre


def background(size: int, generator: torch.Generator) -> Tensor:
    """A made-up tissue, (size, size, size): smooth compartments, vessels and noise; dark as lung, or any other."""
    compartments = smooth_noise(size, 3, generator)
    tissue = torch.where(compartments > 0.9, 900.0, 0.0)
    vessels = smooth_noise(size, size // 5, generator).abs() + smooth_noise(size, size // 5, generator).abs()
    tissue = tissue + torch.where(vessels < 0.25, 700.0, 0.0)
    tissue = F.avg_pool3d(tissue[None, None], 3, stride=1, padding=1)[0, 0]
    noise = float(torch.empty(()).uniform_(10, 120, generator=generator))
    return tissue + 40 * smooth_noise(size, 8, generator) + noise * torch.randn(size, size, size, generator=generator)
