"""What the stand-in engine draws: balls at the clicks, of which everybody can say where they must be.

The mask is (mask prompt ∪ balls at positive clicks) grown by the iterations, minus balls at negative clicks. Like a
real engine's it depends on nothing but the volume, the clicks, the state, the mask prompt and the iterations, and the
voxel of a click always follows the click.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from msam.errors import PromptError, StateError
from msam.protocol import masks
from msam.protocol.masks import Bools, Mask
from msam.protocol.steps import ClickRecord, StepRequest
from msam.protocol.volumes import VolumeDescription


@dataclass(frozen=True)
class Drawing:
    """The sizes of the balls in mm, and after how many iterations a mask stops growing."""

    radius: float = 8.0
    negativeRadius: float = 5.0
    stableAfter: int = 3


@dataclass(frozen=True, eq=False)
class Drawn:
    """A mask, the state after it, and how many steps really ran."""

    mask: Mask
    state: bytes
    iterations: int


def draw(drawing: Drawing, description: VolumeDescription, request: StepRequest) -> Drawn:
    """The answer to a request.

    Raises:
        PromptError: no positive click, a click outside of the volume, or an unusable mask prompt.
        StateError: the state is of another volume, or none at all.
    """
    header, shape_ijk = request.header, description.shape[::-1]
    clicks = header.clicks
    _check(clicks, shape_ijk)
    base, seen, grown, fresh = _start(request, description)
    total = min(drawing.stableAfter, grown + header.iterations)
    mask = base.whole(shape_ijk)
    for click in clicks[seen:]:
        if click.positive:
            mask |= ball(description, click.position_ijk, drawing.radius)
    for _ in range(total):
        mask = grow(mask)
    for click in clicks[seen:]:
        if not click.positive:
            mask &= ~ball(description, click.position_ijk, drawing.negativeRadius)
    for click in clicks:
        i, j, k = np.floor(np.asarray(click.position_ijk) + 0.5).astype(int)
        mask[k, j, i] = click.positive
    state = {
        "volume": _kind(description),
        "clicks": [[*click.position_ijk, click.positive] for click in clicks],
        "seen": seen,
        "grown": total,
        "box": base.box,
        "base": base64.b64encode(masks.pack(base)).decode(),
    }
    ran = fresh + min(header.iterations, total - grown + (grown + header.iterations > total))
    return Drawn(masks.cropped(mask), json.dumps(state).encode(), ran)


def ball(description: VolumeDescription, position_ijk: Sequence[float], radius: float) -> Bools:
    """The voxels [k, j, i] whose centres are no further than a radius in mm from a place in voxels."""
    matrix = np.array(description.ijk_to_ras).reshape(4, 4)[:3, :3]
    k, j, i = (np.arange(length, dtype=float) for length in description.shape)
    away = (i[None, None, :] - position_ijk[0], j[None, :, None] - position_ijk[1], k[:, None, None] - position_ijk[2])
    squared: npt.NDArray[np.float64] = sum(  # type: ignore[assignment]
        (matrix[axis, 0] * away[0] + matrix[axis, 1] * away[1] + matrix[axis, 2] * away[2]) ** 2 for axis in range(3)
    )
    return squared <= radius**2


def grow(mask: Bools) -> Bools:
    """A mask and the six neighbours of each of its voxels."""
    out = mask.copy()
    for axis in range(3):
        low = tuple(slice(None, -1) if at == axis else slice(None) for at in range(3))
        high = tuple(slice(1, None) if at == axis else slice(None) for at in range(3))
        out[low] |= mask[high]
        out[high] |= mask[low]
    return out


def _check(clicks: Sequence[ClickRecord], shape_ijk: Sequence[int]) -> None:
    if not any(click.positive for click in clicks):
        raise PromptError("There is no positive point. Place one inside the lesion.")
    for number, click in enumerate(clicks):
        if not all(-0.5 <= at < length - 0.5 for at, length in zip(click.position_ijk, shape_ijk, strict=True)):
            raise PromptError(f"Point {number + 1} lies outside of the scan.")


def _start(request: StepRequest, description: VolumeDescription) -> tuple[Mask, int, int, int]:
    """The mask to go on from, the clicks that it takes into account, how often it grew already, and the new clicks."""
    header, shape_ijk = request.header, description.shape[::-1]
    state = _read(request, description)
    if header.mask is not None:
        base = masks.unpack(header.mask.box, request.packed_mask, shape_ijk)
        if not base.voxels.any():
            raise PromptError("The mask prompt is empty.")
        return base, header.mask.seen, 0, len(header.clicks) - header.mask.seen
    if state is not None:
        before = [[*click.position_ijk, click.positive] for click in header.clicks[: len(state["clicks"])]]
        if before == state["clicks"]:
            box = tuple(tuple(span) for span in state["box"])
            base = masks.unpack(box, base64.b64decode(state["base"]), shape_ijk)
            return base, state["seen"], state["grown"], len(header.clicks) - len(before)
    return masks.EMPTY, 0, 0, len(header.clicks)


def _read(request: StepRequest, description: VolumeDescription) -> dict | None:
    if not request.state:
        return None
    try:
        state = json.loads(request.state)
    except ValueError as error:
        raise StateError("The state is damaged. Segment again from the points.") from error
    if state["volume"] != _kind(description):
        raise StateError("The state belongs to another scan. Segment again from the points.")
    return state


def _kind(description: VolumeDescription) -> list[float]:
    """What a state is bound to. A volume saved and loaded may differ in the last digit, or the sign of zero."""
    return [*description.shape, *(round(value, 4) + 0.0 for value in description.ijk_to_ras)]
