"""A scan: its voxels and where they lie."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from msam import geometry
from msam.errors import PromptError, VolumeError

Frame = Literal["ijk", "ras", "lps"]

# Intensities below this are found in no modality but CT (air is -1000 HU).
CT_BELOW = -500
# Voxels looked at along each axis to tell a CT.
CT_SAMPLES = 64


class Volume:
    """A scalar volume in the world.

    Attributes:
        voxels: (K, J, I), the array that was handed in, never copied.
        ijk_to_ras: (4, 4) float64, voxels (i, j, k) to mm in RAS; read-only.
        modality: DICOM code such as "CT", "MR", "PT"; None when unknown.
        source: the file or folder it was read from; None when made from an array.
    """

    def __init__(
        self,
        voxels: npt.NDArray[Any],
        ijk_to_ras: npt.ArrayLike,
        modality: str | None = None,
        *,
        source: Path | None = None,
    ) -> None:
        """Joins voxels and geometry.

        Raises:
            VolumeError: voxels that are not a three-dimensional scalar array of real numbers, or a singular geometry.
        """
        if voxels.ndim != 3:
            raise VolumeError(
                f"The scan has {voxels.ndim} dimensions with the lengths {voxels.shape}; only scalar volumes with "
                "three dimensions can be segmented. Choose one channel or one frame of it."
            )
        if voxels.dtype.kind not in "biuf":
            raise VolumeError(f"The scan has voxels of the type {voxels.dtype}; only real numbers can be segmented.")
        if voxels.size == 0:
            raise VolumeError(f"The scan is empty: its lengths along k, j, i are {voxels.shape}.")
        if min(voxels.shape) < 2:
            raise VolumeError(
                f"The scan is a two-dimensional image: its lengths along i, j, k are {voxels.shape[::-1]}. "
                "Load the whole volume, with at least two slices."
            )
        matrix = np.array(ijk_to_ras, dtype=np.float64)
        complaint = geometry.why_unusable(matrix)
        if complaint is not None:
            raise VolumeError(f"The geometry of the scan is unusable: {complaint}. Correct the file's header.")
        matrix.setflags(write=False)
        self.voxels = voxels
        self.ijk_to_ras: geometry.Matrix = matrix
        self.modality = modality.strip().upper() or None if modality else None
        self.source = source

    @classmethod
    def read(cls, path: str | Path, *, series: str | None = None, frame: int = 0) -> Volume:
        """Reads NIfTI, NRRD, MHA/MHD, or a DICOM series from its folder or any one of its files.

        Args:
            path: the file or folder.
            series: UID of the DICOM series, for a folder that holds several.
            frame: which volume of a four-dimensional file, counted from 0.

        Raises:
            VolumeError: there is no such scan, or it cannot be read or segmented; the text says why.
        """
        from msam.io.readers import read_volume

        return read_volume(Path(path), series=series, frame=frame)

    @property
    def shape_ijk(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        depth, height, width = self.voxels.shape
        return width, height, depth

    @cached_property
    def spacing(self) -> geometry.Matrix:
        """Distance in mm of neighbouring voxels along i, j, k; shape (3,)."""
        return geometry.axis_lengths(self.ijk_to_ras)

    @cached_property
    def orientation(self) -> geometry.Orientation:
        """Which axes run nearest to R, A, S."""
        return geometry.anatomical_orientation(self.ijk_to_ras)

    @cached_property
    def is_ct(self) -> bool:
        """Whether intensities are Hounsfield units: by modality, or by their range where the modality is unknown."""
        if self.modality is not None:
            return self.modality == "CT"
        coarse = self.voxels[tuple(slice(None, None, -(-length // CT_SAMPLES)) for length in self.voxels.shape)]
        return bool(coarse.min() < CT_BELOW)

    def to_ijk(self, position: npt.ArrayLike, frame: Frame) -> npt.NDArray[np.float64]:
        """A position as voxels (i, j, k), not rounded.

        Args:
            position: (3,) in voxels for "ijk", in mm for "ras" and "lps".
            frame: what the position is given in.

        Raises:
            PromptError: not three finite numbers, or an unknown frame.
        """
        try:
            point = np.asarray(position, dtype=np.float64)
        except (TypeError, ValueError):
            point = np.empty(0)
        if point.shape != (3,) or not np.isfinite(point).all():
            raise PromptError(f"A position needs three finite numbers; {position!r} is something else.")
        if frame == "ijk":
            return point.copy()
        if frame == "ras":
            return geometry.transform(self._ras_to_ijk, point)
        if frame == "lps":
            return geometry.transform(self._ras_to_ijk @ geometry.RAS_FROM_LPS, point)
        raise PromptError(f"The frame '{frame}' is not known; positions are given in 'ijk', 'ras' or 'lps'.")

    def contains(self, ijk: npt.ArrayLike) -> bool:
        """Whether a position (i, j, k) lies in a voxel: from -0.5 to half a voxel beyond the last centre."""
        point = np.asarray(ijk, dtype=np.float64)
        return bool(((point >= -0.5) & (point <= np.asarray(self.shape_ijk) - 0.5)).all())

    def check(self) -> None:
        """Looks at the voxels once, slice by slice, for what no segmentation can start from.

        Raises:
            VolumeError: voxels that are not finite (as float32), or that are all alike.
        """
        first = self.voxels[0, 0, 0]
        varies = False
        for k, plane in enumerate(self.voxels):
            if self.voxels.dtype.kind == "f":
                with np.errstate(over="ignore"):
                    unusable = int(plane.size - np.count_nonzero(np.isfinite(plane.astype(np.float32, copy=False))))
                if unusable:
                    raise VolumeError(
                        f"The scan holds voxels that are no finite numbers (NaN, infinite or too large): {unusable} in "
                        f"slice k = {k}, the first that has any. Replace them, by the intensity of the background."
                    )
            varies = varies or bool((plane != first).any())
            if varies and self.voxels.dtype.kind != "f":
                return
        if not varies:
            raise VolumeError(f"All voxels of the scan have the same intensity, {first}; there is nothing to segment.")

    def write_mask(self, mask_kji: npt.NDArray[Any], path: str | Path) -> None:
        """Writes a mask as uint8 with exactly the geometry of this scan.

        Args:
            mask_kji: (K, J, I) bool or uint8.
            path: ends in .nii, .nii.gz, .nrrd or .mha. A file there is replaced once the new one is complete.

        Raises:
            VolumeError: the mask does not fit the scan, the ending is unknown, or the path is the scan itself or cannot
                be written.
        """
        from msam.io.writer import write_mask

        write_mask(self, mask_kji, Path(path))

    @cached_property
    def _ras_to_ijk(self) -> geometry.Matrix:
        return np.asarray(np.linalg.inv(self.ijk_to_ras), dtype=np.float64)
