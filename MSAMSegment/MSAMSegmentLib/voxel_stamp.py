"""A tag that tells which voxels were left in a segment, so that later edits are noticed, even in another session."""

from __future__ import annotations

import hashlib

import numpy as np
import slicer
import vtk

from msam.protocol.masks import Mask, changed

VOXELS_TAG = "MSAMSegment.Voxels"


def alike(one: Mask, other: Mask) -> bool:
    """Whether two masks on one grid hold the same voxels."""
    return not changed(one, other).voxels.size


def digestOf(mask: Mask) -> str:
    """A fingerprint of the shape of a mask. Its place is left out: a file may be cropped when it is saved."""
    bits = np.packbits(mask.voxels).tobytes()
    return hashlib.blake2b(repr(mask.voxels.shape).encode() + bits, digest_size=16).hexdigest()


def stamp(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, mask: Mask) -> None:
    """Notes the mask of a segment in its tag."""
    if not isStamped(segmentationNode, segmentId, mask):
        segmentationNode.GetSegmentation().GetSegment(segmentId).SetTag(VOXELS_TAG, digestOf(mask))


def isStamped(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, mask: Mask) -> bool:
    """Whether the tag of a segment speaks of this mask."""
    return _stampOf(segmentationNode, segmentId) == digestOf(mask)


def isUntouched(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, mask: Mask) -> bool:
    """Whether a segment is empty, and no voxels were ever left in it."""
    return not mask.voxels.any() and not _stampOf(segmentationNode, segmentId)


def _stampOf(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str) -> str:
    value = vtk.reference("")
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    return str(value.get()) if segment.GetTag(VOXELS_TAG, value) else ""
