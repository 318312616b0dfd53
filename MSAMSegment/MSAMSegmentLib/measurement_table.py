"""What a tumour board asks of a segment: its size, its diameters and its intensities, also as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from msam.measurements import measure
from MSAMSegmentLib.grids import Matrix, inverse
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segments import readMask, segmentationGrid, toVolumeGrid
from MSAMSegmentLib.transforms import between
from MSAMSegmentLib.translation import tr as _

TABLE_NAME = _("Lesion measurements")
NO_NUMBER = math.nan


@dataclass(frozen=True)
class SegmentMeasurements:
    """The size of a segment, and the intensities of the scan inside of it.

    Lengths are those in the world, so parent transforms that scale count. Diameters run from voxel centre to voxel
    centre (`msam.measurements.Measurements`). An empty segment measures 0, and has no intensities (nan).

    Attributes:
        name: of the segment.
        voxels: how many voxels of the segmentation it has.
        volumeMl: in mL.
        longestDiameterMm: the largest distance between two of its voxels, in any direction.
        axialDiameterMm: the largest distance between two of its voxels in one axial slice, as RECIST 1.1 has it.
        axialPerpendicularMm: the longest line at right angles to that diameter in that slice.
        mean, standardDeviation, minimum, maximum, median: of the scan's voxels inside; the deviation is that of a
            sample (n - 1), as in Slicer's Segment Statistics.
        unit: of the intensities, such as "HU"; "" when the scan does not tell.
    """

    name: str
    voxels: int
    volumeMl: float
    longestDiameterMm: float
    axialDiameterMm: float
    axialPerpendicularMm: float
    mean: float
    standardDeviation: float
    minimum: float
    maximum: float
    median: float
    unit: str


def measureSegment(segmentationNode: Any, segmentId: str, volumeNode: Any) -> SegmentMeasurements:
    """Measures a segment: its size on the grid of the segmentation, its intensities on that of the volume.

    Raises:
        SceneError: there is no such segment, or it is made of surfaces.
        VolumeError: the volume cannot be used.
    """
    scan = Scan.of(volumeNode)
    mask = readMask(segmentationNode, segmentId)
    size = measure(mask.voxels, _to_world(segmentationNode, scan))
    inside = toVolumeGrid(mask, scan, segmentationNode)
    k, j, i = (slice(start, stop) for start, stop in reversed(inside.box))
    values = scan.voxels[k, j, i][inside.voxels].astype(np.float64)
    values = values[np.isfinite(values)]
    some = values.size > 0
    return SegmentMeasurements(
        name=segmentationNode.GetSegmentation().GetSegment(segmentId).GetName() or "",
        voxels=size.voxels,
        volumeMl=size.volume_ml,
        longestDiameterMm=size.longest_diameter_mm,
        axialDiameterMm=size.axial_diameter_mm,
        axialPerpendicularMm=size.axial_perpendicular_mm,
        mean=float(values.mean()) if some else NO_NUMBER,
        standardDeviation=float(values.std(ddof=1)) if values.size > 1 else 0.0 if some else NO_NUMBER,
        minimum=float(values.min()) if some else NO_NUMBER,
        maximum=float(values.max()) if some else NO_NUMBER,
        median=float(np.median(values)) if some else NO_NUMBER,
        unit=unitOf(scan),
    )


def unitOf(scan: Scan) -> str:
    """What the intensities of a scan are counted in; "" for unknown."""
    if scan.modality == "CT":
        return "HU"
    units = scan.node.GetVoxelValueUnits()
    return "" if units is None else str(units.GetCodeMeaning() or units.GetCodeValue() or "")


def updateTable(
    scene: slicer.vtkMRMLScene,
    segmentationNode: Any,
    segmentIds: Sequence[str],
    volumeNode: Any,
    tableNode: Any = None,
) -> slicer.vtkMRMLTableNode:
    """Puts the measurements of segments into a table node, one row each.

    Args:
        scene: where a table node is added when none is given, or the one given is not in the scene any more.
        segmentationNode: the segmentation.
        segmentIds: the rows, in this order.
        volumeNode: the scan.
        tableNode: whose content is replaced.

    Raises:
        SceneError: one of the segments is not there, or is made of surfaces. The table is as it was.
        VolumeError: the volume cannot be used. The table is as it was.
    """
    rows = [measureSegment(segmentationNode, segmentId, volumeNode) for segmentId in segmentIds]
    if tableNode is None or tableNode.GetScene() is not scene:
        tableNode = scene.AddNewNodeByClass("vtkMRMLTableNode", TABLE_NAME)
    unit = rows[0].unit if rows else unitOf(Scan.of(volumeNode))
    was_modifying = tableNode.StartModify()
    tableNode.RemoveAllColumns()
    names = vtk.vtkStringArray()
    names.SetName(_("Segment"))
    for row in rows:
        names.InsertNextValue(row.name)
    tableNode.AddColumn(names)
    for title, attribute, unit_here, digits in _columns(unit):
        column = vtk.vtkDoubleArray()
        column.SetName(f"{title} ({unit_here})" if unit_here else title)
        for row in rows:
            column.InsertNextValue(round(getattr(row, attribute), digits))
        tableNode.AddColumn(column)
        if unit_here:
            tableNode.SetColumnUnitLabel(column.GetName(), unit_here)
    tableNode.EndModify(was_modifying)
    return tableNode


def tableText(tableNode: Any) -> str:
    """A table as text to be pasted into a document or a spreadsheet: tabs between the columns, a line for each row.

    The first line has the titles; what is not a number stays empty.
    """
    table = tableNode.GetTable()
    columns = range(table.GetNumberOfColumns())
    lines = [[table.GetColumn(column).GetName() for column in columns]]
    for row in range(table.GetNumberOfRows()):
        lines.append([_shown(table.GetValue(row, column)) for column in columns])
    return "\n".join("\t".join(" ".join(cell.split()) for cell in line) for line in lines) + "\n"


def _columns(unit: str) -> tuple[tuple[str, str, str, int], ...]:
    """Title, attribute, unit and digits behind the point."""
    return (
        (_("Volume"), "volumeMl", "mL", 3),
        (_("Longest diameter"), "longestDiameterMm", "mm", 1),
        (_("Axial diameter"), "axialDiameterMm", "mm", 1),
        (_("Axial perpendicular"), "axialPerpendicularMm", "mm", 1),
        (_("Mean"), "mean", unit, 2),
        (_("SD"), "standardDeviation", unit, 2),
        (_("Minimum"), "minimum", unit, 2),
        (_("Maximum"), "maximum", unit, 2),
        (_("Median"), "median", unit, 2),
    )


def _to_world(segmentationNode: Any, scan: Scan) -> Matrix:
    """(4, 4) from the voxels of a segmentation's grid to mm in the world."""
    volume_to_world = scan.ijkToWorld @ inverse(scan.ijkToRas)
    to_world: Matrix = (
        volume_to_world @ between(segmentationNode, scan.node) @ segmentationGrid(segmentationNode).ijkToRas
    )
    return to_world


def _shown(value: vtk.vtkVariant) -> str:
    if not value.IsNumeric():
        return str(value.ToString())
    number = value.ToDouble()
    return "" if math.isnan(number) else f"{number:.10g}"
