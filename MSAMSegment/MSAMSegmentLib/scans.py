"""A volume node as something to segment: its voxels, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from msam import geometry
from msam.errors import VolumeError
from MSAMSegmentLib.grids import Matrix, Triple, inverse, matrix_of
from MSAMSegmentLib.translation import tr as _

MODALITY = "DICOM.Modality"
# UCUM and DCM codes by which Slicer marks intensities in Hounsfield units.
HOUNSFIELD = {"[hnsf'U]", "112031"}


@dataclass(frozen=True, eq=False)
class Scan:
    """A volume node that can be segmented, and its geometry at the time it was looked at.

    It keeps its node, so hold it no longer than it is used.

    Attributes:
        node: the volume node.
        ijkToRas: (4, 4), voxels (i, j, k) to mm in RAS by the volume's own matrix, without any parent transform.
        shapeIjk: voxels along i, j, k.
        stamp: is another one once voxels or matrix have changed; can be a key of a dictionary.
    """

    node: Any
    ijkToRas: Matrix
    shapeIjk: Triple
    stamp: tuple[object, ...]

    @classmethod
    def of(cls, volumeNode: Any) -> Scan:
        """Looks at a volume node.

        Raises:
            VolumeError: it cannot be segmented; the text says why.
        """
        if volumeNode is None or not volumeNode.IsA("vtkMRMLVolumeNode"):
            raise VolumeError(_("No volume is selected. Load a CT or MR scan and choose it as input volume."))
        image = _scalar_image(volumeNode)
        shape = tuple(image.GetDimensions())
        if min(shape) < 2:
            raise VolumeError(
                _(
                    "The input volume is a two-dimensional image: it has {i} × {j} × {k} voxels. Load the whole scan, "
                    "with at least two slices."
                ).format(i=shape[0], j=shape[1], k=shape[2])
            )
        matrix = vtk.vtkMatrix4x4()
        volumeNode.GetIJKToRASMatrix(matrix)
        ijk_to_ras = matrix_of(matrix)
        complaint = geometry.why_unusable(ijk_to_ras)
        if complaint is not None:
            raise VolumeError(
                _("The input volume cannot be placed in space: {complaint}. Correct it in Volumes.").format(
                    complaint=complaint
                )
            )
        _check_transform(volumeNode)
        ijk_to_ras.setflags(write=False)
        return cls(volumeNode, ijk_to_ras, shape, _stamp(image, ijk_to_ras))

    @property
    def voxels(self) -> npt.NDArray[Any]:
        """The voxels [k, j, i], a view that shares the volume's memory; never to be written to.

        Raises:
            VolumeError: the volume has lost its voxels since.
        """
        scalars = _scalar_image(self.node).GetPointData().GetScalars()
        view = np.asarray(vtk_to_numpy(scalars)).reshape(self.shapeIjk[::-1])
        view.setflags(write=False)
        return view

    @property
    def isCurrent(self) -> bool:
        """Whether the node still has the voxels and the matrix that it had."""
        image = self.node.GetImageData()
        if image is None or image.GetPointData().GetScalars() is None:
            return False
        matrix = vtk.vtkMatrix4x4()
        self.node.GetIJKToRASMatrix(matrix)
        return _stamp(image, matrix_of(matrix)) == self.stamp

    @property
    def spacing(self) -> npt.NDArray[np.float64]:
        """Distance in mm between neighbouring voxels along i, j, k by the volume's own matrix; (3,)."""
        return geometry.axis_lengths(self.ijkToRas)

    @property
    def modality(self) -> str | None:
        """Code of DICOM such as "CT" or "MR"; None when the volume does not say."""
        said = self.node.GetAttribute(MODALITY) or _modality_of_series(self.node)
        if said and said.strip():
            return said.strip().upper()
        units = self.node.GetVoxelValueUnits()
        return "CT" if units is not None and units.GetCodeValue() in HOUNSFIELD else None

    def toWorld(self, ijk: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where voxels (..., 3) are in the world now, in mm in RAS, with the parent transforms of the moment.

        Raises:
            VolumeError: the volume has come under a transform that is not linear.
        """
        return geometry.transform(self.ijkToWorld, ijk)

    def toIjk(self, world: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Which voxels (..., 3), not rounded, are at these places of the world, in mm in RAS.

        Raises:
            VolumeError: the volume has come under a transform that is not linear.
        """
        return geometry.transform(inverse(self.ijkToWorld), world)

    @property
    def ijkToWorld(self) -> Matrix:
        """(4, 4), voxels (i, j, k) to mm in the world, with the parent transforms of the moment.

        Raises:
            VolumeError: the volume has come under a transform that is not linear.
        """
        return _check_transform(self.node) @ self.ijkToRas

    def contains(self, ijk: npt.ArrayLike) -> bool:
        """Whether a place (3,) in voxels lies in the volume, which reaches half a voxel beyond voxel centres."""
        place = np.asarray(ijk, dtype=np.float64)
        return bool(np.all(place >= -0.5) and np.all(place <= np.array(self.shapeIjk) - 0.5))


def _scalar_image(volumeNode: Any) -> Any:
    """The image of a volume node with one number per voxel."""
    image = volumeNode.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        raise VolumeError(_("The input volume holds no voxels. Load it again, or choose another one."))
    components = scalars.GetNumberOfComponents()
    if components != 1 or not volumeNode.IsA("vtkMRMLScalarVolumeNode") or volumeNode.IsA("vtkMRMLTensorVolumeNode"):
        raise VolumeError(
            _(
                "The input volume holds {count} numbers per voxel, such as the channels of a colour image; only "
                "volumes with one number per voxel can be segmented. Extract one component with Vector to Scalar "
                "Volume."
            ).format(count=components)
        )
    return image


def _check_transform(volumeNode: Any) -> Matrix:
    """(4, 4) of the parent transforms of a volume: from its own RAS to the world."""
    parent = volumeNode.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if not parent.IsTransformToWorldLinear():
        raise VolumeError(
            _(
                "The input volume is under a transform that is not linear, such as a B-spline or a grid. Harden the "
                "transform on the volume (Data module), or take the volume out of it."
            )
        )
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(parent, None, matrix)
    to_world = matrix_of(matrix)
    complaint = geometry.why_unusable(to_world)
    if complaint is not None:
        raise VolumeError(
            _("The transform of the input volume cannot be used: {complaint}. Correct it in Transforms.").format(
                complaint=complaint
            )
        )
    return to_world


def _modality_of_series(volumeNode: Any) -> str:
    """What the subject hierarchy says of the series that a volume was loaded from."""
    scene = volumeNode.GetScene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene is not None else None
    if hierarchy is None:
        return ""
    item = hierarchy.GetItemByDataNode(volumeNode)
    return str(hierarchy.GetItemAttribute(item, MODALITY)) if item else ""


def _stamp(image: Any, ijk_to_ras: Matrix) -> tuple[object, ...]:
    # Times of modification are unique in the whole application, so another image never has the same ones.
    return image.GetMTime(), image.GetPointData().GetScalars().GetMTime(), ijk_to_ras.tobytes()
