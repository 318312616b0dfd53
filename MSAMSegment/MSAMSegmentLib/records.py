"""What is kept with every segment beside its voxels, in tags of the segment, so that it is saved and copied with it.

    MSAMSegment.Points   the clicks, for people and other programs: [{"id":1,"ijk":[30,25.5,20],"positive":true}]
    MSAMSegment.State    from where segmentation goes on, as JSON with base64

Both are plain ASCII without `|`, which separates the tags of a .seg.nrrd file.
"""

from __future__ import annotations

from dataclasses import replace

import slicer
import vtk

from MSAMSegmentLib import record_text
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.segment_record import Base, SegmentRecord
from MSAMSegmentLib.translation import tr as _

__all__ = ["POINTS_TAG", "STATE_TAG", "Base", "SegmentRecord", "readRecord", "tagsOf", "writeRecord"]

POINTS_TAG = "MSAMSegment.Points"
STATE_TAG = "MSAMSegment.State"

CLICKS_UNREAD = _("Of this segment the clicks could not be read; its mask is as it was saved.")
ANSWER_UNREAD = _("Of this segment what the engine had answered so far could not be read; its mask is as it was saved.")
BOTH_UNREAD = _(
    "Of this segment the clicks and what the engine had answered so far could not be read; its mask is as it was saved."
)


def readRecord(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str) -> SegmentRecord:
    """The record of a segment; an empty one when it has none.

    What is damaged or of another program is left aside and told of in `warning`.

    Raises:
        SceneError: there is no such segment.
    """
    segment = _segment(segmentationNode, segmentId)
    points, state = _tag(segment, POINTS_TAG), _tag(segment, STATE_TAG)
    warning = ""
    try:
        record = record_text.readState(state) if state else SegmentRecord()
    except ValueError:
        record = SegmentRecord()
        warning = ANSWER_UNREAD
    try:
        record = record.withPoints(record_text.readPoints(points)) if points else record
    except ValueError:
        visible = [point for point in record.answered if point.identifier > 0]
        record = record.withPoints(sorted(visible, key=lambda point: point.identifier))
        warning = BOTH_UNREAD if warning else CLICKS_UNREAD
    return replace(record, warning=warning)


def writeRecord(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, record: SegmentRecord) -> None:
    """Keeps a record with its segment; an empty one leaves no trace. Tags that would not change are not touched.

    Raises:
        SceneError: there is no such segment.
    """
    segment = _segment(segmentationNode, segmentId)
    is_empty = record.isEmpty
    for tag, text in (
        (POINTS_TAG, "" if is_empty else record_text.pointsText(record.points)),
        (STATE_TAG, "" if is_empty else record_text.stateText(record)),
    ):
        if text == _tag(segment, tag):
            continue
        if text:
            segment.SetTag(tag, text)
        else:
            segment.RemoveTag(tag)


def tagsOf(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str) -> tuple[str, str]:
    """The tags that hold the record of a segment, as they are, by which it is noticed that others have changed them.

    Raises:
        SceneError: there is no such segment.
    """
    segment = _segment(segmentationNode, segmentId)
    return _tag(segment, POINTS_TAG), _tag(segment, STATE_TAG)


def _segment(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str) -> slicer.vtkSegment:
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        raise SceneError(_("The segment is not there any more. Select another one or make a new one."))
    return segment


def _tag(segment: slicer.vtkSegment, name: str) -> str:
    value = vtk.reference("")
    return str(value.get()) if segment.GetTag(name, value) else ""
