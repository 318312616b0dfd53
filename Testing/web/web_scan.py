"""The scan that the page's tests open."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def little_scan() -> sitk.Image:
    """60 × 50 × 40 voxels of 1 × 1 × 2 mm, oblique, with noise and a bright ball of 8 mm at voxel (30, 25, 20)."""
    random = np.random.default_rng(0)
    k, j, i = np.indices((40, 50, 60))
    distance = np.sqrt((i - 30) ** 2 + (j - 25) ** 2 + (2 * (k - 20)) ** 2)
    voxels = random.normal(100, 20, (40, 50, 60)) + np.where(distance < 8, 300, 0)
    image = sitk.GetImageFromArray(voxels.astype(np.int16))
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin((-31.5, 12.25, -40.0))
    turn = np.deg2rad(12)
    image.SetDirection((np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1))
    return image
