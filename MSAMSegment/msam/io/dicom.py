"""Reads a DICOM series: finds its slices, sorts them by position, and refuses what is no regular volume.

Nothing about the patient is looked at: of the text in a header, only the modality and the UID of the series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from msam.errors import VolumeError
from msam.geometry import Matrix
from msam.io.images import FAILURES, metadata, opened, to_array, to_ijk_to_ras
from msam.volume import Volume

FORMAT = "GDCMImageIO"
ENDINGS = (".dcm", ".ima", ".dicom")
MAGIC, MAGIC_OFFSET = b"DICM", 128
# At the beginning of a file, uncompressed and little-endian always: what kind of thing it holds.
KIND_OF_CONTENT, BEGINNING = b"\x02\x00\x02\x00UI", 1024
# CT, MR, PET, and what converters write (secondary capture), with all that is below them.
SLICES = tuple(f"1.2.840.10008.5.1.4.1.1.{number}" for number in (2, 4, 128, 7))

MODALITY = "0008|0060"
SERIES_UID = "0020|000e"
RESCALE_INTERCEPT, RESCALE_SLOPE = "0028|1052", "0028|1053"

# How far a slice may lie from its place in an even stack, as a share of the distance between slices.
UNEVENNESS = 0.1
# How far direction cosines and pixel spacings of one series may differ: they are rounded text.
ROUNDING = 1e-3


@dataclass(frozen=True)
class Slice:
    """What the header of one file says."""

    path: Path
    series: str
    modality: str
    size: tuple[int, ...]
    components: int
    origin: Matrix  # LPS, mm
    spacing: Matrix
    axes: Matrix  # (3, 3), columns are the directions of i, j and the normal in LPS
    rescale: tuple[str, str]

    @property
    def position(self) -> float:
        """Distance from the origin of the world along the normal, mm."""
        return float(self.origin @ self.axes[:, 2])


def looks_like_dicom(path: Path) -> bool:
    """Whether a file says that it is DICOM, by its first bytes or by its name."""
    with path.open("rb") as file:
        file.seek(MAGIC_OFFSET)
        return file.read(len(MAGIC)) == MAGIC or path.suffix.lower() in ENDINGS


def read_series(path: Path, series: str | None) -> Volume:
    """Reads a series.

    Args:
        path: its folder, or one of its files.
        series: its UID, needed when the folder holds several; a file says by itself which it belongs to.

    Raises:
        VolumeError: no such series, several to choose from, or slices that make no even stack.
    """
    folder = path if path.is_dir() else path.parent
    if folder != path:
        itself = _slice(path)
        if itself is None:
            raise VolumeError(f"'{path.name}' is a DICOM file without an image; choose a file of the scan itself.")
        series = series or itself.series
    found: defaultdict[str, list[Slice]] = defaultdict(list)
    damaged = []
    for file in sorted(each for each in folder.iterdir() if each.is_file()):
        header = _slice(file)
        if header is not None:
            found[header.series].append(header)
        elif _should_be_slice(file):
            damaged.append(file.name)
    if damaged:
        raise VolumeError(
            f"The folder '{folder.name}' has DICOM files that are damaged or incomplete, {len(damaged)} in all, such "
            f"as '{damaged[0]}', so slices would be missing. Copy or export the series again; files that are no part "
            "of it belong elsewhere."
        )
    slices = _chosen(found, series, folder)
    return _read_volume_file(slices[0], path) if slices[0].size[2] > 1 else _read_stack(slices, path)


def _should_be_slice(path: Path) -> bool:
    """Whether a file that cannot be read is a damaged slice, and not a report, a contour or anything else in DICOM."""
    if not looks_like_dicom(path):
        return False
    with path.open("rb") as file:
        beginning = file.read(BEGINNING)
    _, found, rest = beginning.partition(KIND_OF_CONTENT)
    kind = rest[2 : 2 + int.from_bytes(rest[:2], "little")].rstrip(b"\0 ").decode("ascii", "replace")
    return not found or any(kind == each or kind.startswith(f"{each}.") for each in SLICES)


def _slice(path: Path) -> Slice | None:
    """The header of a file; None when it is no DICOM image."""
    try:
        reader = opened(path, FORMAT)
    except FAILURES:
        return None
    return Slice(
        path=path,
        series=metadata(reader, SERIES_UID),
        modality=metadata(reader, MODALITY),
        size=tuple(int(length) for length in reader.GetSize()),
        components=int(reader.GetNumberOfComponents()),
        origin=np.array(reader.GetOrigin()),
        spacing=np.array(reader.GetSpacing()),
        axes=np.array(reader.GetDirection()).reshape(3, 3),
        rescale=(metadata(reader, RESCALE_SLOPE), metadata(reader, RESCALE_INTERCEPT)),
    )


def _chosen(found: dict[str, list[Slice]], series: str | None, folder: Path) -> list[Slice]:
    if not found:
        raise VolumeError(f"The folder '{folder.name}' holds no DICOM images; choose the folder with the slices in it.")
    largest_first = sorted(found.items(), key=lambda item: (-_slice_count(item[1]), item[0]))
    listing = "; ".join(f"{_slice_count(slices)} slices, {slices[0].modality}: {uid}" for uid, slices in largest_first)
    if series is None and len(found) > 1:
        raise VolumeError(
            f"The folder '{folder.name}' holds {len(found)} DICOM series; choose one with `series`: {listing}."
        )
    chosen = largest_first[0][1] if series is None else found.get(series)
    if chosen is None:
        raise VolumeError(f"The folder '{folder.name}' holds no DICOM series {series}. It holds: {listing}.")
    if any(header.components > 1 for header in chosen):
        raise VolumeError("The DICOM series is in colour; only scalar volumes can be segmented.")
    if len(chosen) > 1 and any(header.size[2] > 1 for header in chosen):
        raise VolumeError("The DICOM series has several files of many slices each; put the one to segment in a folder.")
    return chosen


def _slice_count(slices: list[Slice]) -> int:
    return sum(header.size[2] for header in slices)


def _read_volume_file(header: Slice, path: Path) -> Volume:
    """A series in one file of many frames."""
    image = _executed(opened(header.path, FORMAT).Execute)
    matrix = to_ijk_to_ras(image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    return Volume(to_array(image), matrix, header.modality, source=path)


def _read_stack(slices: list[Slice], path: Path) -> Volume:
    slices = sorted(slices, key=lambda header: header.position)
    first, last = slices[0], slices[-1]
    if len(slices) == 1:
        raise VolumeError("The DICOM series is a two-dimensional image: it has one slice. Load the whole series.")
    for header in slices:
        alike = np.allclose(header.axes, first.axes, atol=ROUNDING) and np.allclose(
            header.spacing[:2], first.spacing[:2], rtol=ROUNDING
        )
        if header.size != first.size or not alike:
            raise VolumeError(
                "The slices of the DICOM series differ in size, pixel spacing or orientation, so they make no volume. "
                "Export the slices of one orientation alone."
            )
    _refuse_uneven(np.array([header.position for header in slices]))
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO(FORMAT)
    reader.SetFileNames([str(header.path) for header in slices])
    if not _keeps_whole_numbers(slices):
        reader.SetOutputPixelType(sitk.sitkFloat32)
    image = _executed(reader.Execute)
    # From the first slice to the last as they lie: with a tilted gantry they are not stacked along the normal.
    matrix = to_ijk_to_ras(first.origin.tolist(), first.spacing.tolist(), first.axes.ravel().tolist())
    matrix[:3, 2] = (last.origin - first.origin) / (len(slices) - 1) * (-1, -1, 1)
    return Volume(to_array(image), matrix, first.modality, source=path)


def _refuse_uneven(positions: Matrix) -> None:
    """Positions (n,) along the normal, ascending, in mm."""
    gaps = np.diff(positions)
    even = np.linspace(positions[0], positions[-1], len(positions))
    if np.abs(positions - even).max() <= UNEVENNESS * gaps.mean():
        return
    if gaps.min() < UNEVENNESS * gaps.mean():
        raise VolumeError(
            "The DICOM series has several slices at the same position, as series over time have; "
            "export the slices of one point in time alone."
        )
    raise VolumeError(
        f"The slices of the DICOM series are unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm apart; "
        "probably slices are missing. Export the whole series, or resample it to even spacing."
    )


def _keeps_whole_numbers(slices: list[Slice]) -> bool:
    """Whether all slices share one rescaling to whole numbers; PET, for one, may scale every slice by a fraction."""
    rescalings = {header.rescale for header in slices}
    return len(rescalings) == 1 and all(float(value or 0).is_integer() for value in slices[0].rescale)


def _executed(read: Callable[[], sitk.Image]) -> sitk.Image:
    try:
        return read()
    except FAILURES as error:
        raise VolumeError(
            "The DICOM series cannot be read: a file is damaged, incomplete or compressed in an unknown way. "
            "Export it again, without compression."
        ) from error
