"""`MSAMSegmentLogic`: segmenting lesions from a script, a widget or a web page.

logic = MSAMSegmentLogic()
logic.engine.useThisComputer(python)        # an interpreter that has PyTorch; or logic.engine.useHost(url, key)
logic.setInputVolume(volumeNode)
logic.addPoint((12.5, -30.0, 101.0))        # RAS, mm; makes a segmentation and a segment
logic.addPoint((20.0, -30.0, 101.0), positive=False)
logic.waitUntilIdle()
logic.refine(3)
logic.waitUntilIdle()
print(logic.lastResult.message, logic.measurements())
logic.exportSegments(logic.segmentIds(), "lesion.nii.gz")
logic.close()
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

from MSAMSegmentLib.logic_steps import StepCalls

if TYPE_CHECKING:
    from MSAMSegmentLib.measurement_table import SegmentMeasurements


class MSAMSegmentLogic(StepCalls):
    """Everything that can be done with the tool, on the scene.

    Nothing here blocks except `waitUntilIdle`: points, undo and the like are done at once, and masks follow when the
    engine has answered. Positions are in the world, RAS in mm, with all transforms of the moment. Segments are those
    of the segmentation in use, by their ids; where an id may be left out, the selected segment is meant.
    """

    def measurements(self, segmentId: str | None = None) -> SegmentMeasurements:
        """Volume, diameters and intensities of a segment, of the selected one for None.

        Raises:
            SceneError: there is no such segment.
            VolumeError: there is no scan, or it cannot be segmented.
        """
        from MSAMSegmentLib.measurement_table import measureSegment

        work, segmentId = self._needSegment(segmentId)
        return measureSegment(work.node, segmentId, self._scanFor(work).node)

    def measurementTable(self) -> slicer.vtkMRMLTableNode:
        """The measurements of all segments in a table node of the scene, the same one each time.

        Raises:
            SceneError: there is no segmentation.
            VolumeError: there is no scan, or it cannot be segmented.
        """
        from MSAMSegmentLib.measurement_table import updateTable

        work = self._needWork()
        role = "measurementTable"
        table = self.settings.parameterNode.GetNodeReference(role)
        table = updateTable(self.scene, work.node, work.segmentIds(), self._scanFor(work).node, table)
        self.settings.parameterNode.SetNodeReferenceID(role, table.GetID())
        return table

    def exportSegments(
        self,
        segmentIds: Sequence[str] | str,
        path: str | Path,
        overwrite: bool = False,
        oneFilePerSegment: bool | None = None,
        ending: str = ".nrrd",
    ) -> list[Path]:
        """Writes segments to a label file (.nrrd, .nii.gz, .mha) or .seg.nrrd, and answers what was written.

        The files have exactly the geometry of the scan; they have been read again and compared when this comes back.

        Args:
            segmentIds: what to export, one id or several, in the order of the values 1, 2, … in one label file.
            path: of the one file, whose ending tells its kind; or of a folder for one file for each segment, which
                are named after the segments.
            overwrite: whether files that are there are replaced.
            oneFilePerSegment: None for what `path` suggests: one each when it is a folder that exists.
            ending: of the files in a folder.

        Raises:
            SceneError: a file exists and is not to be overwritten, it cannot be written, or the segments overlap in
                one label file.
            VolumeError: there is no scan, or it cannot be segmented.
        """
        from MSAMSegmentLib.export import exportSegments

        work = self._needWork()
        return exportSegments(
            work.node,
            [segmentIds] if isinstance(segmentIds, str) else list(segmentIds),
            Path(path),
            self._scanFor(work).node,
            overwrite=overwrite,
            oneFilePerSegment=oneFilePerSegment,
            ending=ending,
        )
