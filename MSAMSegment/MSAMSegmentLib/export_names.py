"""Names and kinds of the files that segments are exported to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.segment_masks import segmentOf
from MSAMSegmentLib.translation import tr as _

SEGMENTATION = ".seg.nrrd"
LABELS = (".nrrd", ".nii.gz", ".nii", ".mha")
ENDINGS = (SEGMENTATION, *LABELS)
LIST_ENDING = ".labels.csv"

# A label file has one byte for each voxel, and 0 is the background.
MOST_LABELS = 255
# Bytes of a file name without its ending; the most that file systems take is 255.
LONGEST_NAME = 100
UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class PlannedSegment:
    """A segment in a file: its id, its name, and the value of its voxels there."""

    segmentId: str
    name: str
    value: int


@dataclass(frozen=True)
class PlannedFile:
    """A file that will be written.

    Attributes:
        path: of the file.
        segments: what will be in it; with the list of the labels' names, what that list names.
        exists: whether a file of that name is there already.
        isList: it is the list of the names that belong to the values of a label file, as comma-separated text.
    """

    path: Path
    segments: tuple[PlannedSegment, ...]
    exists: bool
    isList: bool = False


def exportPlan(
    segmentationNode: Any,
    segmentIds: Sequence[str],
    path: str | Path,
    *,
    oneFilePerSegment: bool | None = None,
    ending: str = ".nrrd",
) -> list[PlannedFile]:
    """Which files an export will write; nothing is written yet.

    Args:
        segmentationNode: the segmentation.
        segmentIds: what to export, in the order of the values 1, 2, … in a label file.
        path: of the one file, whose ending tells its kind; or of a folder for one file for each segment.
        oneFilePerSegment: None for what `path` suggests: one each when it is a folder that exists.
        ending: of the files in a folder, one of `ENDINGS`.

    Raises:
        SceneError: nothing is selected, a segment is not there, there are too many for one label file, the kind of
            file is unknown, or there is no such folder.
    """
    path = Path(path)
    names = {each: segmentOf(segmentationNode, each).GetName() or "" for each in segmentIds}
    if not names:
        raise SceneError(_("No segment is selected for export. Select at least one."))
    into_folder = path.is_dir() if oneFilePerSegment is None else oneFilePerSegment
    _check_folder(path if into_folder else path.parent)
    if into_folder:
        _check_ending(ending)
        stems = fileNames(list(names.values()))
        return [
            _planned(path / f"{stem}{ending}", (PlannedSegment(each, name, 1),))
            for stem, (each, name) in zip(stems, names.items(), strict=True)
        ]
    known = endingOf(path)
    segments = tuple(PlannedSegment(each, name, value) for value, (each, name) in enumerate(names.items(), 1))
    if known == SEGMENTATION or len(segments) == 1:
        return [_planned(path, segments)]
    if len(segments) > MOST_LABELS:
        raise SceneError(
            _(
                "{count} segments are selected; a label file holds at most {most}. Select fewer, or export one file "
                "per segment."
            ).format(count=len(segments), most=MOST_LABELS)
        )
    listed = path.with_name(path.name[: -len(known)] + LIST_ENDING)
    return [_planned(path, segments), _planned(listed, segments, isList=True)]


def endingOf(path: Path) -> str:
    """The ending of a file name, one of `ENDINGS`.

    Raises:
        SceneError: it has none of them, or nothing in front of it.
    """
    ending = next((each for each in ENDINGS if path.name.lower().endswith(each)), path.name)
    if len(path.name) > len(ending):
        return ending
    raise SceneError(
        _("The file name has to end in one of {endings}, which tells the kind of file.").format(
            endings=", ".join(ENDINGS)
        )
    )


def fileNames(names: Sequence[str]) -> list[str]:
    """Names of segments as file names without ending: safe on every file system, and all different.

    Upper and lower case count as the same letter, as they do on Windows and macOS.
    """
    taken: set[str] = set()
    out = []
    for name in names:
        stem, number = _safe(name), 2
        candidate = stem
        while candidate.casefold() in taken:
            candidate, number = f"{stem}_{number}", number + 1
        taken.add(candidate.casefold())
        out.append(candidate)
    return out


def _safe(name: str) -> str:
    name = UNSAFE.sub("_", unicodedata.normalize("NFC", name))
    name = name.encode("utf-8", "ignore")[:LONGEST_NAME].decode("utf-8", "ignore").strip(" .")
    if RESERVED.fullmatch(name):
        name = f"_{name}"
    return name or "segment"


def _planned(path: Path, segments: tuple[PlannedSegment, ...], isList: bool = False) -> PlannedFile:
    return PlannedFile(path, segments, path.exists(), isList)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise SceneError(_("The folder to export to does not exist. Choose another one, or create it first."))


def _check_ending(ending: str) -> None:
    if ending not in ENDINGS:
        raise SceneError(
            _("Files cannot be exported as {ending}. Choose one of {endings}.").format(
                ending=repr(ending), endings=", ".join(ENDINGS)
            )
        )
