"""A picture of a segmentation: three planes with its contour and the clicks. Nothing in it names the patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from msam.checkpoints.atomic import replacing
from msam.display_window import display_window
from msam.errors import MsamError, VolumeError
from msam.planes import Plane, planes_through

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from msam.volume import Volume

Floats = npt.NDArray[np.float64]

BACKGROUND, PANEL = "#0d1117", "#000000"
TEXT, FAINT = "#e6edf3", "#8b949e"
CONTOUR, TRUTH = "#ffc857", "#58c4ff"
POSITIVE, NEGATIVE = "#3ddc84", "#ff5c5c"

INCHES, DPI = (12.0, 4.72), 150
# Width and height of a panel, in shares of the figure: squares side by side.
PANEL_WIDTH, GAP, MARGIN = 0.318, 0.007, 0.016
PANEL_HEIGHT = PANEL_WIDTH * INCHES[0] / INCHES[1]
PANEL_BOTTOM = 1 - MARGIN * INCHES[0] / INCHES[1] - PANEL_HEIGHT

# The picture shows this many times the extent of the mask, but no less than that many mm.
FIELD_FACTOR, SMALLEST_FIELD = 2.4, 110.0
SCALE_BARS = (200, 100, 50, 20, 10, 5, 2, 1)


class PlacedPoint(Protocol):
    """What the picture needs to know of a click; `msam.session` has such points."""

    @property
    def position_ijk(self) -> Any:
        """Three numbers: i, j, k."""

    @property
    def positive(self) -> bool:
        """Whether it is meant to be inside."""


def write_preview(
    path: str | Path,
    volume: Volume,
    mask: npt.NDArray[Any],
    points: Sequence[PlacedPoint] = (),
    *,
    truth: npt.NDArray[Any] | None = None,
    caption: str = "",
) -> None:
    """Draws the axial, coronal and sagittal slice of a scan with a mask, in true proportions, as PNG.

    The slices run through the first positive click where the mask holds it, else through the middle of the mask. The
    patient's right is at the left of the axial and coronal picture. Clicks on other slices are drawn thinner.
    Needs matplotlib, which comes with the extra `cli`.

    Args:
        path: where to; a file there is replaced once the new one is complete.
        volume: the scan.
        mask: (K, J, I), nonzero inside. Where it is empty, the slices run through the first click.
        points: the clicks.
        truth: (K, J, I), another mask to compare with, such as an expert's; drawn dashed.
        caption: one line below the pictures.

    Raises:
        VolumeError: a mask that does not fit the scan, or a path that cannot be written.
        MsamError: matplotlib is missing.
    """
    for array in (mask, *(() if truth is None else (truth,))):
        if array.shape != volume.voxels.shape:
            raise VolumeError(
                f"The mask has the shape {array.shape} and the scan {volume.voxels.shape}; they must agree."
            )
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MsamError('A picture needs matplotlib; install it with: pip install "msam-segment[cli]"') from error

    low, high = _surroundings(mask, points, volume)
    extent = float(((high - low) * volume.spacing).max())
    through = _point_of_planes(mask, points, (low + high) / 2)
    window = display_window(volume, through, radius=max(20.0, 0.7 * extent))
    planes = planes_through(volume, through)
    field = min(max(SMALLEST_FIELD, FIELD_FACTOR * extent), max(side for plane in planes for side in plane.size))

    figure = Figure(figsize=INCHES, dpi=DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    for column, plane in enumerate(planes):
        left = MARGIN + column * (PANEL_WIDTH + GAP)
        axes = figure.add_axes((left, PANEL_BOTTOM, PANEL_WIDTH, PANEL_HEIGHT), facecolor=PANEL)
        _draw_plane(axes, plane, volume, window, field, (low + high) / 2)
        _draw_contour(axes, plane, mask, CONTOUR, "solid")
        if truth is not None:
            _draw_contour(axes, plane, truth, TRUTH, (0, (4, 2.5)))
        _draw_points(axes, plane, points)
    _draw_footer(figure, caption, points, with_truth=truth is not None)
    try:
        with replacing(Path(path)) as unfinished:
            figure.savefig(unfinished, format="png", facecolor=BACKGROUND, metadata={"Software": None})
    except OSError as error:
        raise VolumeError(f"The picture '{Path(path).name}' cannot be written: {error.strerror}.") from error


def _surroundings(mask: npt.NDArray[Any], points: Sequence[PlacedPoint], volume: Volume) -> tuple[Floats, Floats]:
    """The first and the last voxel (i, j, k) of what the picture is about: mask, else first click, else whole scan."""
    spans = [np.flatnonzero(mask.any(axis=others)) for others in ((0, 1), (0, 2), (1, 2))]
    if len(spans[0]):
        return np.array([span[0] for span in spans], float), np.array([span[-1] for span in spans], float)
    if points:
        click = np.asarray(points[0].position_ijk, dtype=np.float64)
        return click, click
    return np.zeros(3), np.asarray(volume.shape_ijk, dtype=np.float64) - 1


def _point_of_planes(mask: npt.NDArray[Any], points: Sequence[PlacedPoint], middle: Floats) -> Floats:
    """Where (i, j, k) the planes cross: the first positive click if the mask holds it, else the mask's middle voxel."""
    for point in points:
        if point.positive:
            voxel = np.clip(np.rint(point.position_ijk).astype(int)[::-1], 0, np.subtract(mask.shape, 1))
            if mask[tuple(voxel)]:
                return np.asarray(point.position_ijk, dtype=np.float64)
            break
    inside = np.argwhere(mask)[:, ::-1].astype(np.float64)
    if not len(inside):
        return middle
    return np.asarray(inside[np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()])


def _draw_plane(
    axes: Axes,
    plane: Plane,
    volume: Volume,
    window: tuple[float, float],
    field: float,
    middle: Floats,
) -> None:
    (width, height), (pixel_width, pixel_height) = plane.size, plane.pixel
    axes.imshow(
        plane.cut(volume.voxels),
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        origin="lower",
        interpolation="bilinear",
        extent=(-pixel_width / 2, width + pixel_width / 2, -pixel_height / 2, height + pixel_height / 2),
        aspect="equal",
    )
    x, y, _ = plane.place(middle)
    axes.set_xlim(*_field_around(x, width, field))
    axes.set_ylim(*_field_around(y, height, field))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    left, right, bottom, top = plane.view.letters
    for letter, at in ((left, (0.025, 0.5)), (right, (0.975, 0.5)), (bottom, (0.5, 0.03)), (top, (0.5, 0.97))):
        _write(axes, *at, letter, size=10, color=TEXT, ha="center", va="center")
    _write(axes, 0.03, 0.965, plane.view.name.capitalize(), size=11, color=TEXT, ha="left", va="top", weight="bold")
    _draw_scale_bar(axes, field)


def _field_around(centre: float, length: float, field: float) -> tuple[float, float]:
    """The stretch of the given length around a point, moved so that it shows no more than needed beyond the scan."""
    if length <= field:
        return (length - field) / 2, (length + field) / 2
    low = min(max(centre - field / 2, 0.0), length - field)
    return low, low + field


def _draw_scale_bar(axes: Axes, field: float) -> None:
    length = next((mm for mm in SCALE_BARS if mm <= field / 3.5), SCALE_BARS[-1])
    share = length / field
    for color, width in (("#0000008c", 4.0), (TEXT, 2.0)):
        ends = ([0.97 - share, 0.97], [0.045, 0.045])
        axes.plot(*ends, transform=axes.transAxes, color=color, lw=width, solid_capstyle="butt")
    _write(axes, 0.97 - share / 2, 0.058, f"{length} mm", size=8.5, color=TEXT, ha="center", va="bottom")


def _draw_contour(axes: Axes, plane: Plane, mask: npt.NDArray[Any], color: str, style: Any) -> None:
    pixels = np.pad((plane.cut(mask) != 0).astype(np.float32), 1)
    if not pixels.any():
        return
    rows, columns = pixels.shape
    width, height = plane.pixel
    xs, ys = (np.arange(columns) - 1) * width, (np.arange(rows) - 1) * height
    axes.contour(xs, ys, pixels, levels=[0.5], colors=[color], linewidths=1.4, linestyles=[style])


def _draw_points(axes: Axes, plane: Plane, points: Sequence[PlacedPoint]) -> None:
    from matplotlib.patheffects import withStroke

    for point in points:
        x, y, distance = plane.place(point.position_ijk)
        here = distance <= 0.5
        axes.plot(
            [x],
            [y],
            marker="+" if point.positive else "_",
            color=POSITIVE if point.positive else NEGATIVE,
            markersize=12 if here else 8,
            markeredgewidth=2.2 if here else 1.2,
            alpha=1.0 if here else 0.75,
            path_effects=[withStroke(linewidth=4.4 if here else 2.2, foreground="#0000008c")],
            scalex=False,
            scaley=False,
        )


def _draw_footer(figure: Figure, caption: str, points: Sequence[PlacedPoint], *, with_truth: bool) -> None:
    from matplotlib.lines import Line2D

    y = PANEL_BOTTOM / 2
    figure.text(MARGIN, y, caption, color=TEXT, size=11, ha="left", va="center")
    marks: list[tuple[Line2D, str]] = [(Line2D([], [], color=CONTOUR, lw=1.6), "segmentation")]
    if with_truth:
        marks.append((Line2D([], [], color=TRUTH, lw=1.6, ls=(0, (4, 2.5))), "truth"))
    for positive, color, marker, name in ((True, POSITIVE, "+", "inside"), (False, NEGATIVE, "_", "outside")):
        if any(point.positive == positive for point in points):
            marks.append((Line2D([], [], color=color, marker=marker, ls="", ms=9, mew=2.2), f"click {name}"))
    figure.legend(
        [mark for mark, _ in marks],
        [name for _, name in marks],
        loc="center right",
        bbox_to_anchor=(1 - MARGIN, y),
        bbox_transform=figure.transFigure,
        ncol=len(marks),
        frameon=False,
        labelcolor=FAINT,
        fontsize=10,
        handlelength=1.8,
        columnspacing=1.6,
        borderaxespad=0,
        borderpad=0,
    )


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Writes on the picture, in shares of its width and height, legible on black and on white."""
    from matplotlib.patheffects import withStroke

    axes.text(
        x, y, text, transform=axes.transAxes, path_effects=[withStroke(linewidth=1.8, foreground="#0000008c")], **style
    )
