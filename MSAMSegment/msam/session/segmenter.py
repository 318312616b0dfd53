"""The stateless core: points and the last state in, a mask and the next state out."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from msam.errors import PromptError
from msam.region import project
from msam.session import zoom
from msam.session.answer import Answer
from msam.session.blending import mask_of
from msam.session.cache import EmbeddingCache
from msam.session.carrying import mask_as_logits
from msam.session.looking import Looker, Network, clicked_intensity
from msam.session.masks import CroppedMask
from msam.session.placement import first_look, next_look
from msam.session.prompts import Point, check_points, digest, positive_first, positive_positions
from msam.session.run import Progress, Run
from msam.session.state import State, rounded
from msam.session.windows import look_through_windows
from msam.volume import Volume


@dataclass(frozen=True)
class MaskPrompt:
    """A mask to go on from.

    Attributes:
        mask: the mask, not empty.
        seen: how many of the points, from the first on, it already takes into account; they are not decoded again.
    """

    mask: CroppedMask
    seen: int = 0


@dataclass(frozen=True)
class StepResult:
    """What a step ends with.

    Attributes:
        mask: the whole mask, cropped to what is set.
        state: from which the next step goes on.
        quality: predicted intersection over union, 0 to 1.
        iterations: decoding steps that really ran.
        windows: how many closer looks the mask of a large object was put together from.
        message: the outcome in one or two sentences.
        timings: seconds spent: "cut", "encode", "decode", "paste", "total".
    """

    mask: CroppedMask
    state: State
    quality: float
    iterations: int
    windows: int
    message: str
    timings: dict[str, float]


class Segmenter:
    """Segments without remembering anything but embeddings, which it could compute again at any time."""

    def __init__(self, model: Network, cache: EmbeddingCache | None = None) -> None:
        self.model = model
        self.cache = EmbeddingCache() if cache is None else cache
        self._checked: weakref.WeakSet[Volume] = weakref.WeakSet()

    def check(self, volume: Volume) -> None:
        """Looks through a volume's voxels, once for each volume.

        Raises:
            VolumeError: they hold values that are not finite, or are all alike.
        """
        if volume not in self._checked:
            volume.check()
            self._checked.add(volume)

    def step(
        self,
        volume: Volume,
        points: Sequence[Point],
        state: State | None = None,
        mask_prompt: MaskPrompt | None = None,
        iterations: int = 0,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> StepResult:
        """Segments what the points ask for.

        Every point is one decoding step, with the logits of the step before as its mask prompt; which of the points it
        sees follows the model's training (`ModelConfig.clicks_per_step`). A state spares the steps it has been through
        already. When the points it has consumed have changed since (moved, removed, flipped), all is done again from
        the start, so the outcome depends only on the points there are. Without anything new the mask is made again from
        the state.

        The voxel of a positive point always belongs to the mask and the voxel of a negative one never does, whatever
        the model says (these single voxels only; the later of two points in one voxel decides). A mask that the model
        leaves empty stays empty. Nothing else is corrected.

        Args:
            volume: the scan.
            points: all points in the order of their placement.
            state: of the step before; None to start anew.
            mask_prompt: takes the place of the state's logits; the region and the reference of the state stay in use.
            iterations: steps after that which feed the logits back without a new point; they end early when the
                thresholded logits no longer change, or when the model does not expect the mask to be clearly better
                (`zoom.GAIN`).
            progress: called with the fraction done, 0 to 1, and words.
            cancelled: polled between all parts of the work.

        Raises:
            PromptError: no positive point, a point outside the volume, an unusable mask prompt or a negative number of
                iterations.
            StateError: the state is of another model or another volume.
            VolumeError: voxels that are not finite, or a constant volume.
            Cancelled: the caller cancelled the run.
        """
        run = Run(progress, cancelled)
        run.report(0.0, "Starting")
        check_points(volume, points)
        if iterations < 0:
            raise PromptError(f"The number of iterations is {iterations}; it cannot be negative.")
        if mask_prompt is not None:
            _check_mask(volume, mask_prompt, points)
        self.check(volume)
        if state is not None:
            state.check(volume, self.model.config)
            if mask_prompt is None and not state.leads_to(points):
                state = None

        reference = clicked_intensity(volume, self.model.config, points) if state is None else state.reference
        looker = Looker(self.model, self.cache, volume, reference, run)
        with run.part(0.0, 0.6):
            if mask_prompt is not None:
                start, order, seen = _from_mask(looker, mask_prompt, points, state), tuple(points), mask_prompt.seen
            elif state is not None:
                start, order, seen = _from_state(state), positive_first(points), state.consumed
            else:
                start, order, seen = None, positive_first(points), 0
            answer, steps = _decode(looker, start, order, seen, iterations, at_least_once=mask_prompt is not None)
        with run.part(0.6, 0.95):
            windows, lattice = look_through_windows(looker, answer, points, state.lattice if state else None)
        run.report(0.95, "Drawing the mask")
        mask = _with_clicked_voxels(volume, mask_of(volume, answer, windows, run), points)
        quality = min(1.0, max(0.0, answer.quality))
        after = State(
            model=self.model.config.name,
            region=answer.region,
            logits=rounded(answer.logits),
            consumed=len(points),
            fingerprint=digest(points),
            quality=quality,
            reference=reference,
            lattice=lattice,
        )
        run.report(1.0, "Done")
        return StepResult(mask, after, quality, steps, len(windows), _message(mask, quality), run.timings())


def _decode(
    looker: Looker, start: Answer | None, order: Sequence[Point], seen: int, iterations: int, *, at_least_once: bool
) -> tuple[Answer, int]:
    """The steps for the points not seen yet, then the iterations; the last answer and the number of steps."""
    volume, run = looker.volume, looker.run
    total = max(1, len(order) - seen + iterations)
    answer, steps = start, 0
    for number in range(seen, len(order)):
        point = order[number]
        with run.part((number - seen) / total, (number - seen + 1) / total):
            run.report(0.0, f"Point {number + 1} of {len(order)}")
            if answer is None:
                answer, steps = first_look(looker, point), steps + 1
            elif point.positive or answer.region.contains(volume, point.position_ijk):
                answer, steps = next_look(looker, answer, order[: number + 1]), steps + 1
    assert answer is not None
    for number in range(max(iterations, 1 if at_least_once and not steps else 0)):
        with run.part((len(order) - seen + number) / total, (len(order) - seen + number + 1) / total):
            run.report(0.0, f"Refining: {number + 1} of {iterations}")
            before = answer
            answer, steps = next_look(looker, before, _up_to_last_inside(looker, before, order)), steps + 1
        if not zoom.is_worth_keeping(looker.config, before, answer):
            answer = before
            break
        if answer.region == before.region and np.array_equal(answer.logits > 0, before.logits > 0):
            break
    return answer, steps


def _up_to_last_inside(looker: Looker, answer: Answer, order: Sequence[Point]) -> Sequence[Point]:
    """The points without the last ones as far as these lie outside the region; a step could not see them."""
    inside = [answer.region.contains(looker.volume, point.position_ijk) for point in order]
    return order[: len(order) - inside[::-1].index(True)]


def _from_state(state: State) -> Answer:
    return Answer(state.region, state.logits.astype(np.float32), state.quality)


def _from_mask(looker: Looker, prompt: MaskPrompt, points: Sequence[Point], state: State | None) -> Answer:
    """A given mask as if a step had answered it, in the region in use when that holds it, else in one that does."""
    (i0, i1), (j0, j1), (k0, k1) = prompt.mask.box
    corners = np.array([[i0, j0, k0], [i1, j1, k1]]) - 0.5
    held = np.concatenate((corners, positive_positions(points)))
    if state is not None and all(zoom.well_inside(looker.volume, state.region, position) for position in held):
        region = state.region
    else:
        finest = zoom.ladder(looker.volume, looker.config)[0]
        region = zoom.finest_holding(looker.volume, looker.config, held, finest)
    occupancy = project(prompt.mask.voxels, prompt.mask.box, looker.volume, region, looker.config.mask_size)
    return Answer(region, rounded(mask_as_logits(occupancy)).astype(np.float32), zoom.UNJUDGED)


def _check_mask(volume: Volume, prompt: MaskPrompt, points: Sequence[Point]) -> None:
    spans = zip(prompt.mask.box, volume.shape_ijk, strict=True)
    if prompt.mask.is_empty or not all(0 <= start < stop <= length for (start, stop), length in spans):
        raise PromptError("The mask prompt is empty or reaches beyond the volume.")
    if not 0 <= prompt.seen <= len(points):
        raise PromptError(f"The mask prompt counts {prompt.seen} points as seen; there are {len(points)}.")


def _with_clicked_voxels(volume: Volume, mask: CroppedMask, points: Sequence[Point]) -> CroppedMask:
    if mask.is_empty:
        return mask
    last = np.asarray(volume.shape_ijk) - 1
    for point in points:
        i, j, k = np.clip(np.floor(np.asarray(point.position_ijk) + 0.5).astype(int), 0, last)
        mask = mask.with_voxel((int(i), int(j), int(k)), point.positive)
    return mask


def _message(mask: CroppedMask, quality: float) -> str:
    if mask.is_empty:
        return (
            "The mask is empty: the model found nothing at these points. "
            "Place a positive point nearer to the middle of the lesion, or remove negative ones."
        )
    return f"The mask has {mask.count:,} voxels; the model expects it to overlap the truth by {quality:.0%}."
