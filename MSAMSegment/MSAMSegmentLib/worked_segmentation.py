"""One segmentation as the logic works on it: voxels, records and history, always in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import slicer

from msam.errors import MsamError
from msam.protocol.masks import Mask
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.grids import Grid, inverse, moved, whole_step
from MSAMSegmentLib.history import NOTHING, History, MaskDiff, Step, StepKind
from MSAMSegmentLib.masking import WriteOptions
from MSAMSegmentLib.records import readRecord, tagsOf, writeRecord
from MSAMSegmentLib.segment_record import SegmentRecord
from MSAMSegmentLib.segmentation_grid import segmentationGrid
from MSAMSegmentLib.segments import readMask, writeMask
from MSAMSegmentLib.stepping import afterHandEdit, isUnanswered, withoutUnanswered
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.volume_identity import onVolume
from MSAMSegmentLib.voxel_stamp import alike, isStamped, isUntouched, stamp

EXACTLY = WriteOptions()


class WorkedSegmentation:
    """A segmentation node with what is known about its segments.

    Whoever changes a segment calls `look` first: others may have changed its voxels since. After `look`, `mask` is
    what lies in the segment.

    Attributes:
        node: the segmentation.
        history: of all its segments.
        isWriting: voxels or tags are being written right now, so events of the node are the logic's own doing.
        isDisturbed: others have done something to the segmentation, and nobody has looked at all of it since.
    """

    def __init__(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        around: Callable[[slicer.vtkMRMLSegmentationNode, str], AbstractContextManager[None]],
    ) -> None:
        """Begins with a segmentation that nothing is known about.

        Args:
            node: the segmentation.
            around: what every change of voxels is put into.
        """
        self.node = node
        self.history = History()
        self.isWriting = False
        self.isDisturbed = False
        self._around = around
        self._masks: dict[str, Mask] = {}
        self._records: dict[str, SegmentRecord] = {}
        self._tags: dict[str, tuple[str, str]] = {}  # as they were when the records were read or written
        self._grid: Grid | None = None
        self.settleOnGrid()

    # What is there

    def segmentIds(self) -> list[str]:
        """All segments, in their order."""
        return list(self.node.GetSegmentation().GetSegmentIDs())

    def hasSegment(self, segmentId: str) -> bool:
        """Whether there is such a segment."""
        return self.node.GetSegmentation().GetSegment(segmentId) is not None

    def record(self, segmentId: str) -> SegmentRecord:
        """The record of a segment, read once.

        Raises:
            SceneError: there is no such segment.
        """
        if segmentId not in self._records or not self.hasSegment(segmentId):
            self._records[segmentId] = readRecord(self.node, segmentId)
            self._tags[segmentId] = tagsOf(self.node, segmentId)
        return self._records[segmentId]

    def mask(self, segmentId: str) -> Mask:
        """What `look` found last, on the segmentation's grid."""
        return self._masks[segmentId]

    def unanswered(self) -> list[str]:
        """The segments with points that their masks do not account for."""
        return [segmentId for segmentId in self.segmentIds() if isUnanswered(self.record(segmentId))]

    # What others do

    def look(self, segmentId: str) -> bool:
        """Takes note of what others did to the voxels of a segment, and tells whether they did anything.

        Voxels that are as they were some steps ago mean that somebody else, such as Slicer's Segment Editor, has undone
        these steps; then the points follow. Anything else is an edit by hand, and one step of the history.

        Raises:
            SceneError: there is no such segment.
        """
        self.settleOnGrid()
        before = self.record(segmentId)
        found = readMask(self.node, segmentId)
        if segmentId not in self._masks:
            self._adopt(segmentId, found)
            return False
        isSame = alike(found, self._masks[segmentId])
        if isSame and not self.isDisturbed:
            return False
        self.follow()
        if not alike(found, self._masks[segmentId]):
            self._noteHandEdit(segmentId, found)
        return not isSame or self.record(segmentId) is not before

    def follow(self) -> bool:
        """Lets the points follow somebody else who went through the history, and tells whether any points did.

        Their undo brings the tags back, too, and their redo ends with any change, so only what differs is written.
        """
        self.settleOnGrid()
        masks = {each: readMask(self.node, each) for each in self._masks if self.hasSegment(each)}
        steps = self.history.travelled({each: self._masks[each] for each in masks}, masks)
        for _number in range(abs(steps)):
            step = self.history.undo() if steps < 0 else self.history.redo()
            record = step.before if steps < 0 else step.after
            self._records[step.segmentId] = self._withNewer(record, self.record(step.segmentId))
        if steps:
            self._masks.update(masks)
            for segmentId in masks:
                record = self._records[segmentId]
                if masks[segmentId].voxels.any() or not record.isEmpty:
                    self._stamp(segmentId)
                kept = readRecord(self.node, segmentId)
                if replace(kept, lastIdentifier=record.lastIdentifier) != record:
                    self.keep(segmentId, record)
                self._tags[segmentId] = tagsOf(self.node, segmentId)
            self.isDisturbed = False
            return True
        replaced = [each for each in self._records if self.hasSegment(each) and self._takeOver(each, masks.get(each))]
        # An edit by hand is noted once its segment is looked at.
        self.isDisturbed = not all(alike(masks[each], self._masks[each]) for each in masks)
        return bool(replaced)

    def settleOnGrid(self) -> bool:
        """Goes on with another reference geometry of the segmentation; tells whether that took the history away.

        Masks and what lies beneath the clicks are counted in voxels of the grid, so they are taken to the new one; the
        differences of the history would say something else there.
        """
        try:
            grid = segmentationGrid(self.node)
        except SceneError:  # it has none
            return False
        before, self._grid = self._grid, grid
        if before is None:
            return False
        matrix = inverse(grid.ijkToRas) @ before.ijkToRas
        if before.shapeIjk == grid.shapeIjk and whole_step(matrix, grid.shapeIjk) == (0, 0, 0):
            return False
        self.history.clear()
        for segmentId in self.segmentIds():
            record = self.record(segmentId)
            if record.base is not None:
                there = moved(record.base.mask, matrix, grid.shapeIjk)
                self.keep(segmentId, replace(record, base=replace(record.base, mask=there)))
            if segmentId in self._masks:
                self._masks[segmentId] = moved(self._masks[segmentId], matrix, grid.shapeIjk)
                self._stamp(segmentId)
        return True

    def settleOn(self, segmentId: str, identity: str) -> None:
        """Makes the record of a segment ready for clicks on a scan; a change of scan is a step of its own."""
        before = self.record(segmentId)
        after = onVolume(before, self.mask(segmentId), identity)
        if after is before:
            return
        if before.volumeIdentity:
            kept = withoutUnanswered(before)
            step = Step(segmentId, NOTHING, kept, withoutUnanswered(after), StepKind.HAND_EDIT, _("other scan"))
            self.history.push(step)
        self.keep(segmentId, after)

    # What the logic does

    def keep(self, segmentId: str, record: SegmentRecord) -> None:
        """Keeps a record; the voxels stay."""
        self._records[segmentId] = record
        with self._writing():
            writeRecord(self.node, segmentId, record)
        self._tags[segmentId] = tagsOf(self.node, segmentId)

    def write(
        self,
        segmentId: str,
        mask: Mask,
        record: SegmentRecord,
        kind: StepKind,
        description: str,
        options: WriteOptions,
        volumeNode: slicer.vtkMRMLScalarVolumeNode | None,
    ) -> None:
        """Writes a mask and the record that goes with it as one step of the history. `look` comes first.

        Args:
            segmentId: the segment.
            mask: all of it, on the segmentation's grid.
            record: afterwards, unanswered points included.
            kind, description: of the step.
            options: what happens where other segments are.
            volumeNode: the scan, whose voxels an intensity range speaks of.

        Raises:
            SceneError: the segment cannot be written; nothing has changed then.
        """
        before, recordNow = self._masks[segmentId], self.record(segmentId)
        recordBefore = withoutUnanswered(recordNow)
        # What others save for their undo before the voxels change has points and voxels in step.
        self.keep(segmentId, recordBefore)
        try:
            after = self._writeVoxels(segmentId, mask, options, volumeNode)
        except MsamError:
            self.keep(segmentId, recordNow)
            raise
        difference = MaskDiff.between(before, after)
        self.history.push(Step(segmentId, difference, recordBefore, withoutUnanswered(record), kind, description))
        self.keep(segmentId, record)

    def undo(self) -> None:
        """Takes the last step back, and what it had taken from other segments with it.

        Raises:
            SceneError: there is none, or its segment cannot be written.
        """
        self._goBack()
        while self.history.nextUndo is not None and self.history.nextUndo.kind == StepKind.TAKEN:
            self._goBack()

    def redo(self) -> None:
        """Makes the step that was undone last again.

        Raises:
            SceneError: there is none, or its segment cannot be written.
        """
        while self._goForth().kind == StepKind.TAKEN and self.history.canRedo:
            pass

    def forgetRemoved(self) -> list[str]:
        """Lets go of the segments that are not there any more, and answers which these are."""
        gone = [each for each in {**self._masks, **self._records} if not self.hasSegment(each)]
        for segmentId in gone:
            self._masks.pop(segmentId, None)
            self._records.pop(segmentId, None)
            self._tags.pop(segmentId, None)
            self.history.dropSegment(segmentId)
        return gone

    # Within

    def _goBack(self) -> None:
        step = self.history.nextUndo
        if step is not None:
            self.look(step.segmentId)
            step = self.history.nextUndo
        if step is not None:
            self._travel(step, step.before)
        self.history.undo()

    def _goForth(self) -> Step:
        step = self.history.nextRedo
        if step is not None:
            self.look(step.segmentId)
            step = self.history.nextRedo
        if step is not None:
            self._travel(step, step.after)
        return self.history.redo()

    def _travel(self, step: Step, record: SegmentRecord) -> None:
        mask = step.difference.apply(self._masks[step.segmentId])
        if not step.difference.isEmpty:
            self._writeVoxels(step.segmentId, mask, EXACTLY, None)
        self.keep(step.segmentId, self._withNewer(record, self.record(step.segmentId)))

    def _withNewer(self, record: SegmentRecord, now: SegmentRecord) -> SegmentRecord:
        """A record of the history, with the points that have not been answered yet."""
        known = {point.identifier for point in (*now.answered, *record.points)}
        newer = [point for point in now.points if point.identifier not in known]
        lastIdentifier = max(now.nextIdentifier, record.nextIdentifier) - 1
        return replace(record, points=(*record.points, *newer), lastIdentifier=lastIdentifier)

    def _adopt(self, segmentId: str, found: Mask) -> None:
        """A segment is seen for the first time. What is in it, drawn or loaded, is what clicks go on from."""
        record = self._records[segmentId]
        self._masks[segmentId] = found
        if record.isEmpty and not found.voxels.any():
            return
        if not isStamped(self.node, segmentId, found):
            self.keep(segmentId, afterHandEdit(record, found))
            self._stamp(segmentId)

    def _takeOver(self, segmentId: str, found: Mask | None) -> bool:
        """A segment that others have replaced together with its record is taken as it is; tells whether it was.

        So does a sequence of segmentations with every frame. What was done to the one before is not to be undone in
        this one.
        """
        tags = tagsOf(self.node, segmentId)
        if tags == self._tags[segmentId]:
            return False
        if found is not None:
            isWhole = isStamped(self.node, segmentId, found) or isUntouched(self.node, segmentId, found)
            if not isWhole:
                return False
            if not alike(found, self._masks[segmentId]):
                self.history.dropSegment(segmentId)
            self._masks[segmentId] = found
        self._records[segmentId], self._tags[segmentId] = readRecord(self.node, segmentId), tags
        return True

    def _noteHandEdit(self, segmentId: str, found: Mask) -> None:
        self._noteOthersMask(segmentId, found, StepKind.HAND_EDIT, _("edit by hand"))

    def _noteOthersMask(self, segmentId: str, mask: Mask, kind: StepKind, description: str) -> None:
        """A step that did not come from the points of the segment; they go on from the mask that it led to."""
        record = self.record(segmentId)
        before, after = withoutUnanswered(record), afterHandEdit(record, mask)
        difference = MaskDiff.between(self._masks[segmentId], mask)
        self.history.push(Step(segmentId, difference, before, withoutUnanswered(after), kind, description))
        self._masks[segmentId] = mask
        self.keep(segmentId, after)
        self._stamp(segmentId)

    def _noteTaken(self, segmentId: str, was: Mask, now: Mask) -> None:
        """Voxels of another segment were taken; undo gives them back."""
        self.record(segmentId)
        if segmentId not in self._masks:
            self._adopt(segmentId, was)
        elif not alike(was, self._masks[segmentId]):
            self._noteHandEdit(segmentId, was)
        self._noteOthersMask(segmentId, now, StepKind.TAKEN, _("taken voxels"))

    def _writeVoxels(
        self, segmentId: str, mask: Mask, options: WriteOptions, volumeNode: slicer.vtkMRMLScalarVolumeNode | None
    ) -> Mask:
        before = self._masks[segmentId]
        if not alike(before, mask):
            # Others' undo brings this back as it is; a stamp that was missing then would end their redo.
            self._stamp(segmentId)
            with self._writing(), self._around(self.node, segmentId):
                written = writeMask(self.node, segmentId, before, mask, options, volumeNode, self._noteTaken)
            self._masks[segmentId] = written
        self._stamp(segmentId)
        return self._masks[segmentId]

    def _stamp(self, segmentId: str) -> None:
        with self._writing():
            stamp(self.node, segmentId, self._masks[segmentId])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        before, self.isWriting = self.isWriting, True
        try:
            yield
        finally:
            self.isWriting = before
