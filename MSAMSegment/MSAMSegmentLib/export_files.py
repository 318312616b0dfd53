"""Label files and segmentation files, written and read with Slicer's own readers and writers.

They work in a scene of their own, so nothing of this is seen in the user's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from msam import geometry
from msam.errors import MsamError
from msam.protocol.masks import Mask
from MSAMSegmentLib.grids import Grid, Matrix, inverse, matrix_of, moved, oriented_image, voxels_of, vtk_matrix
from MSAMSegmentLib.nrrd_check import isWhole
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segment_masks import readMask
from MSAMSegmentLib.segmentation_grid import LABELMAP, segmentationGrid
from MSAMSegmentLib.transforms import between
from MSAMSegmentLib.voxel_stamp import alike

# Voxels. NIfTI files keep their geometry in single precision.
SAME_PLACE = 1e-3
OWN_TAGS = ("MSAMSegment.Points", "MSAMSegment.State", "MSAMSegment.Voxels")

Labels = npt.NDArray[np.uint8]


def writeLabels(path: Path, labels: Labels, ijkToRas: Matrix) -> bool:
    """Writes an array [k, j, i] of one byte per voxel, and tells whether that went well."""
    with _scene() as scene:
        node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        image = vtk.vtkImageData()
        image.SetDimensions(labels.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(labels.ravel()))
        node.SetAndObserveImageData(image)
        node.SetIJKToRASMatrix(vtk_matrix(ijkToRas))
        storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        return bool(storage.WriteData(node)) and path.is_file()


def holdsLabels(path: Path, labels: Labels, ijkToRas: Matrix) -> bool:
    """Whether a file holds exactly these voxels at these places."""
    with _scene() as scene:
        node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        if not storage.ReadData(node) or node.GetImageData() is None:
            return False
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        read = voxels_of(node.GetImageData())
        turned = _turned(read, inverse(matrix_of(matrix)) @ ijkToRas, labels.shape)
        return read.dtype == labels.dtype and turned is not None and np.array_equal(turned, labels)


def writeSegmentation(path: Path, source: Any, masks: Mapping[str, Mask], scan: Scan) -> bool:
    """Writes segments of a segmentation with names, colours and tags, but with these masks on the grid of the scan."""
    keeps_grid = _same_grid(source, scan)
    grid = Grid(scan.ijkToRas, scan.shapeIjk)
    with _scene() as scene:
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentation = node.GetSegmentation()
        segmentation.SetSourceRepresentationName(LABELMAP)
        converter = slicer.vtkSegmentationConverter
        whole = ((0, scan.shapeIjk[0]), (0, scan.shapeIjk[1]), (0, scan.shapeIjk[2]))
        text = converter.SerializeImageGeometry(vtk_matrix(scan.ijkToRas), list(grid.extent(whole)))
        segmentation.SetConversionParameter(converter.GetReferenceImageGeometryParameterName(), text)
        for segmentId, mask in masks.items():
            segment = slicer.vtkSegment()
            segment.DeepCopyMetadata(source.GetSegmentation().GetSegment(segmentId))
            if not keeps_grid:  # what the record keeps lies on the segmentation's grid
                for tag in OWN_TAGS:
                    segment.RemoveTag(tag)
            segment.SetLabelValue(1)
            # An empty segment needs an image, too: one voxel that is not set.
            voxels, box = (mask.voxels, mask.box) if mask.voxels.size else (np.zeros((1, 1, 1)), ((0, 1),) * 3)
            segment.AddRepresentation(LABELMAP, oriented_image(voxels.astype(np.uint8), grid, box))
            segmentation.AddSegment(segment, segmentId)
        segmentation.CollapseBinaryLabelmaps(False)
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(path))
        return bool(storage.WriteData(node)) and path.is_file()


def holdsSegments(path: Path, masks: Mapping[str, Mask], scan: Scan) -> bool:
    """Whether a segmentation file holds exactly these segments at these places.

    Raises:
        OSError: it cannot be read.
    """
    if not isWhole(path):
        return False
    with _scene() as scene:
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(path))
        if not storage.ReadData(node) or list(node.GetSegmentation().GetSegmentIDs()) != list(masks):
            return False
        try:
            to_volume = inverse(scan.ijkToRas) @ segmentationGrid(node).ijkToRas
            read = {segmentId: readMask(node, segmentId) for segmentId in masks}
        except MsamError:
            return False
        return all(alike(moved(read[each], to_volume, scan.shapeIjk), mask) for each, mask in masks.items())


def _turned(voxels: Labels, matrix: Matrix, shape: tuple[int, ...]) -> Labels | None:
    """An array [k, j, i] in the order of axes of another grid, None when that grid has other voxels.

    Slicer's reader turns the axes of left-handed files.

    Args:
        voxels: of the array's own grid.
        matrix: (4, 4) from the voxels of the other grid to those of the array's own.
        shape: of the other grid.
    """
    whole = np.rint(matrix)
    i, j, k = (length - 1 for length in shape[::-1])
    corners = np.array(list(itertools.product((0, i), (0, j), (0, k))))
    apart = geometry.transform(matrix, corners) - geometry.transform(whole, corners)
    if np.abs(apart).max() > SAME_PLACE or not np.array_equal(np.abs(whole[:3, :3]).sum(axis=0), (1, 1, 1)):
        return None
    axes = np.abs(whole[:3, :3]).argmax(axis=0)  # the own axis that each axis of the other grid runs along
    if sorted(axes) != [0, 1, 2]:
        return None
    turned = voxels.transpose([2 - axes[2], 2 - axes[1], 2 - axes[0]])
    flipped = tuple(axis for axis in range(3) if whole[axes[2 - axis], 2 - axis] < 0)
    turned = np.flip(turned, flipped)
    first = geometry.transform(whole, (0, 0, 0))
    starts = [voxels.shape[2 - own] - 1 if whole[own].sum() - whole[own, 3] < 0 else 0 for own in range(3)]
    return turned if turned.shape == shape and np.array_equal(first, starts) else None


def _same_grid(source: Any, scan: Scan) -> bool:
    grid = segmentationGrid(source)
    corners = np.array(list(itertools.product(*((0, length) for length in scan.shapeIjk))))
    there = geometry.transform(inverse(grid.ijkToRas) @ between(scan.node, source) @ scan.ijkToRas, corners)
    return grid.shapeIjk == scan.shapeIjk and bool(np.abs(there - corners).max() < SAME_PLACE)


@contextmanager
def _scene() -> Iterator[slicer.vtkMRMLScene]:
    """A scene of its own. What VTK says meanwhile is not for users: the outcome is looked at, and told in words."""
    shown = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.GlobalWarningDisplayOff()
    scene = slicer.vtkMRMLScene()
    try:
        yield scene
    finally:
        scene.Clear(1)
        vtk.vtkObject.SetGlobalWarningDisplay(shown)
