"""Segments to files, with exactly the geometry of the scan; "written" means read again and found the same."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.protocol.masks import Mask
from MSAMSegmentLib import export_files
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.export_names import SEGMENTATION, PlannedFile, endingOf, exportPlan
from MSAMSegmentLib.scans import Scan
from MSAMSegmentLib.segments import readMask, toVolumeGrid
from MSAMSegmentLib.translation import tr as _

__all__ = ["PlannedFile", "exportPlan", "exportSegments"]


def exportSegments(
    segmentationNode: Any,
    segmentIds: Sequence[str],
    path: str | Path,
    volumeNode: Any,
    *,
    overwrite: bool = False,
    oneFilePerSegment: bool | None = None,
    ending: str = ".nrrd",
) -> list[Path]:
    """Exports segments on the grid of the volume, as its own file has it: parent transforms are not applied.

    Label files hold one byte per voxel. Several segments in one get the values 1, 2, … in their order, and a list of
    their names is written beside it. The files appear under their names once all of them were written beside their
    place, read again and compared; the scene is not touched.

    Args:
        segmentationNode: the segmentation.
        segmentIds: what to export.
        path: of the one file, whose ending tells its kind (.nrrd, .nii.gz, .nii, .mha, .seg.nrrd); or of a folder for
            one file for each segment.
        volumeNode: the scan.
        overwrite: whether files that are there are replaced.
        oneFilePerSegment: None for what `path` suggests: one each when it is a folder that exists.
        ending: of the files in a folder.

    Returns:
        What was written.

    Raises:
        SceneError: a file is there already, segments overlap in one label file, there is nothing in them, the file
            cannot be written or did not come back as it was; see also `exportPlan`. Nothing was replaced then.
        VolumeError: the volume cannot be used.
    """
    planned = exportPlan(segmentationNode, segmentIds, path, oneFilePerSegment=oneFilePerSegment, ending=ending)
    existing = [file.path.name for file in planned if file.exists]
    if existing and not overwrite:
        raise SceneError(f"{_thereAlready(existing)} {CHOOSE_ANOTHER}")
    scan = Scan.of(volumeNode)
    identifiers = dict.fromkeys(segmentIds)
    masks = {each: toVolumeGrid(readMask(segmentationNode, each), scan, segmentationNode) for each in identifiers}
    if not any(mask.voxels.size for mask in masks.values()):
        raise SceneError(_("There is nothing to export: the selected segments are empty where the input volume is."))
    written: list[tuple[Path, Path]] = []
    try:
        for file in planned:
            beside = _beside(file.path)
            written.append((beside, file.path))
            _write(file, beside, segmentationNode, masks, scan)
        for beside, place in written:
            beside.replace(place)
    except OSError as error:
        reason = error.strerror or _("the file cannot be written")
        raise SceneError(_("The export failed: {reason}.").format(reason=reason) + " " + ADVICE) from error
    finally:
        for beside, _place in written:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
    return [file.path for file in planned]


ADVICE = _("Check the free space and your rights in that folder, or choose another one.")
CHOOSE_ANOTHER = _("Choose another name, or allow existing files to be replaced.")
# So many of the files that are there already are named.
MOST_NAMED = 3


def _write(file: PlannedFile, beside: Path, segmentationNode: Any, masks: Mapping[str, Mask], scan: Scan) -> None:
    """Writes one file and makes sure of it."""
    beside.touch(exist_ok=False)  # tells a folder that cannot be written to in the words of the system
    if file.isList:
        beside.write_text(_label_list(file), encoding="utf-8", newline="")
        return
    beside.unlink()
    if endingOf(file.path) == SEGMENTATION:
        own = {segment.segmentId: masks[segment.segmentId] for segment in file.segments}
        was_written = export_files.writeSegmentation(beside, segmentationNode, own, scan)
        is_same = was_written and export_files.holdsSegments(beside, own, scan)
    else:
        labels = _labels(file, masks, scan)
        was_written = export_files.writeLabels(beside, labels, scan.ijkToRas)
        is_same = was_written and export_files.holdsLabels(beside, labels, scan.ijkToRas)
    if not was_written:
        raise SceneError(_("The file could not be written.") + " " + ADVICE)
    if not is_same:
        raise SceneError(
            _(
                "What was written is not what was read again, so it was not kept. Check the disk, or choose another "
                "kind of file: not every one can hold every geometry."
            )
        )


def _labels(file: PlannedFile, masks: Mapping[str, Mask], scan: Scan) -> npt.NDArray[np.uint8]:
    """All segments of a file in one array [k, j, i]."""
    labels = np.zeros(scan.shapeIjk[::-1], np.uint8)
    for segment in file.segments:
        mask = masks[segment.segmentId]
        k, j, i = (slice(start, stop) for start, stop in reversed(mask.box))
        region = labels[k, j, i]
        others = region[mask.voxels]
        if others.any():
            other = int(others[others != 0][0])
            raise SceneError(
                _(
                    "Of the segments to export, number {first} and number {second} overlap ({count:,} voxels), and a "
                    "label file holds one of them only. Export one file per segment, or a .seg.nrrd file, which holds "
                    "both."
                ).format(first=other, second=segment.value, count=np.count_nonzero(others == other))
            )
        region[mask.voxels] = segment.value
    return labels


def _label_list(file: PlannedFile) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("value", "name"))
    writer.writerows((segment.value, segment.name) for segment in file.segments)
    return text.getvalue()


def _beside(path: Path) -> Path:
    """Where a file is written first: in the same folder, under a name that nothing else has."""
    ending = "" if path.name.endswith(".csv") else endingOf(path)
    return path.with_name(f".export-{uuid.uuid4().hex}{ending}")


def _thereAlready(names: Sequence[str]) -> str:
    """Which files are there, as a sentence."""
    if len(names) == 1:
        return _("The file {name} exists already.").format(name=names[0])
    named, more = ", ".join(names[:MOST_NAMED]), len(names) - MOST_NAMED
    if more > 0:
        return _("The files {names} and {count} more exist already.").format(names=named, count=more)
    return _("The files {names} exist already.").format(names=named)
