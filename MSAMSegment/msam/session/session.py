"""An interactive session: points, the mask that follows them, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.errors import PromptError
from msam.session.history import HandMade, History, Snapshot
from msam.session.looking import Network
from msam.session.masks import NO_DIFFERENCE, CroppedMask, Difference
from msam.session.prompts import Point, Prompts
from msam.session.result import Result
from msam.session.run import Progress
from msam.session.segmenter import MaskPrompt, Segmenter, StepResult
from msam.volume import Frame, Volume


class Session:
    """Segments one lesion of one volume interactively.

    A run that fails or is cancelled leaves points, mask and history as they were.
    """

    def __init__(
        self,
        model: Network,
        volume: Volume,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Begins without points.

        Args:
            model: from `msam.load_model`.
            volume: the scan.
            progress: called during every run with the fraction done, 0 to 1, and words.
            cancelled: polled during every run; a true answer ends it with `Cancelled`.

        Raises:
            VolumeError: voxels that are not finite, or a constant volume.
        """
        self.volume = volume
        self.result: Result | None = None
        self._segmenter = Segmenter(model)
        self._segmenter.check(volume)
        self._progress = progress
        self._cancelled = cancelled
        self._history = History()

    @property
    def points(self) -> tuple[Point, ...]:
        """All points in the order of their placement."""
        return self._history.now.prompts.points

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The current mask of the whole volume, bool (K, J, I); built anew each time."""
        return self._history.mask.whole(self.volume.shape_ijk)

    @property
    def can_undo(self) -> bool:
        """Whether `undo` has a step to take back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether `redo` has a step to take again."""
        return self._history.can_redo

    def add_point(self, position: npt.ArrayLike, positive: bool = True, frame: Frame = "ijk") -> int:
        """Places a point; the mask follows with the next `segment` or `refine`.

        Args:
            position: (3,) voxels (i, j, k) for "ijk", mm for "ras" and "lps".
            positive: True for inside the lesion, False for outside of it.
            frame: what the position is given in.

        Returns:
            The id of the point.

        Raises:
            PromptError: not three finite numbers, or outside the volume.
        """
        prompts = self._history.now.prompts
        self._edit(prompts.add(self.volume, position, positive, frame))
        return prompts.next_id

    def move_point(self, point_id: int, position: npt.ArrayLike, frame: Frame = "ijk") -> None:
        """Moves a point. The next step replays all points from the start.

        Raises:
            PromptError: there is no such point, or the position is unusable.
        """
        self._edit(self._history.now.prompts.move(self.volume, point_id, position, frame))

    def remove_point(self, point_id: int) -> None:
        """Removes a point. The next step replays the remaining points from the start.

        Raises:
            PromptError: there is no such point.
        """
        self._edit(self._history.now.prompts.remove(point_id))

    def set_mask(self, mask_kji: npt.NDArray[Any]) -> None:
        """Takes an existing mask, such as one edited by hand, as the current one and as the prompt of the next step.

        Points that have been segmented before count as part of it; a replay starts from it.

        Args:
            mask_kji: (K, J, I) of the whole volume, bool, or numbers that are not zero inside.

        Raises:
            PromptError: it does not fit the volume, or is empty.
        """
        mask_kji = np.asarray(mask_kji)
        if mask_kji.shape != self.volume.voxels.shape:
            raise PromptError(
                f"The mask has the shape {mask_kji.shape}, the volume {self.volume.voxels.shape} (k, j, i). "
                "Resample the mask to the volume."
            )
        i, j, k = self.volume.shape_ijk
        mask = CroppedMask.cropped(((0, i), (0, j), (0, k)), mask_kji)
        if mask.is_empty:
            raise PromptError("The mask is empty, so nothing can be segmented from it. Place points instead.")
        now, segmented = self._history.now, self._history.segmented
        hand_made = HandMade(mask, segmented.prompts.points, segmented.state)
        self._history.commit(
            replace(now, state=segmented.state, hand_made=hand_made, awaits_step=True, edited=False), mask
        )

    def segment(self) -> Result:
        """Runs what the points ask for; see `Segmenter.step` for what that means.

        Raises:
            PromptError: there is no positive point.
            Cancelled: the run was cancelled.
        """
        return self._run(iterations=0)

    def refine(self, iterations: int = 1) -> Result:
        """Feeds the logits back without a new point, after any points that wait for a step.

        Args:
            iterations: how often; fewer when the mask no longer changes, or would not be clearly better.

        Raises:
            PromptError: there is no positive point, or fewer than one iteration was asked for.
            Cancelled: the run was cancelled.
        """
        if iterations < 1:
            raise PromptError(f"Refining needs at least one iteration; {iterations} were asked for.")
        return self._run(iterations)

    def undo(self) -> Result:
        """Takes back the last step, or points that wait for one: points and mask in step.

        Raises:
            PromptError: there is nothing to undo.
        """
        return self._travelled(self._history.undo(), "Undone.")

    def redo(self) -> Result:
        """Takes the step again that was undone last.

        Raises:
            PromptError: there is nothing to redo.
        """
        return self._travelled(self._history.redo(), "Redone.")

    def _edit(self, prompts: Prompts) -> None:
        self._history.commit(replace(self._history.now, prompts=prompts, edited=True), self._history.mask)

    def _run(self, iterations: int) -> Result:
        now = self._history.now
        if now.state is not None and not (now.edited or now.awaits_step or iterations):
            return self._remember(self._result(NO_DIFFERENCE, "Nothing has changed since the last step."))
        state, prompt = now.state, None
        replays = state is None or not state.leads_to(self.points)
        if now.hand_made is not None and (now.awaits_step or replays):
            state = now.hand_made.state
            prompt = MaskPrompt(now.hand_made.mask, _leading(self.points, now.hand_made.seen))
        step = self._segmenter.step(
            self.volume,
            self.points,
            state,
            prompt,
            iterations,
            progress=self._progress,
            cancelled=self._cancelled,
        )
        after = Snapshot(prompts=now.prompts, state=step.state, hand_made=now.hand_made)
        difference = self._history.commit(after, step.mask)
        return self._remember(self._result(difference, step.message, step))

    def _travelled(self, difference: Difference, words: str) -> Result:
        mask = self._history.mask
        return self._remember(self._result(difference, f"{words} The mask has {mask.count:,} voxels."))

    def _result(self, difference: Difference, message: str, step: StepResult | None = None) -> Result:
        now, mask = self._history.now, self._history.mask
        state = None if now.awaits_step else now.state
        return Result(
            box=difference.box,
            voxels=mask.within(difference.box),
            is_empty=mask.is_empty,
            message=message,
            quality=state.quality if state is not None else 0.0,
            iterations=step.iterations if step is not None else 0,
            state=state.to_bytes() if state is not None else b"",
            timings=step.timings if step is not None else {},
        )

    def _remember(self, result: Result) -> Result:
        self.result = result
        return result


def _leading(points: tuple[Point, ...], known: tuple[Point, ...]) -> int:
    """How many of the points, from the first on, are among the known ones."""
    return next((number for number, point in enumerate(points) if point not in known), len(points))
