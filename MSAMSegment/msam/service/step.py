"""One step on a device: from the request as it came to the reply as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msam.protocol import masks, steps
from msam.protocol.masks import Mask
from msam.protocol.steps import ReplyHeader, StepReply, StepRequest
from msam.service.metrics import Metrics
from msam.service.runs import Run
from msam.volume import Volume

if TYPE_CHECKING:
    from msam.service.bench import Bench
    from msam.session.segmenter import MaskPrompt

# The share of a run's progress that loading a model takes, where it must be loaded.
LOADING = 0.5


def perform(bench: Bench, run: Run[bytes], volume: Volume, request: StepRequest, metrics: Metrics) -> bytes:
    """Does what a request asks for; runs in an inference thread.

    Raises:
        MsamError: the request cannot be fulfilled, or was cancelled.
    """
    from msam.session.prompts import Point
    from msam.session.state import State

    header = request.header
    name, segmenter = bench.segmenter(header.model, lambda done, words: run.report(LOADING * done, words))
    begun = run.fraction
    result = segmenter.step(
        volume,
        [Point(number, click.position_ijk, click.positive) for number, click in enumerate(header.clicks)],
        State.from_bytes(request.state) if request.state else None,
        _mask_prompt(request, volume),
        header.iterations,
        progress=lambda done, words: run.report(begun + (1 - begun) * done, words),
        cancelled=run.cancelled,
    )
    metrics.observe("msam_run_seconds", result.timings["total"], model=name)
    reply = ReplyHeader(
        box=result.mask.box,
        quality=result.quality,
        iterations=result.iterations,
        message=result.message,
        model=name,
        device=bench.device,
        timings={**result.timings, "waiting": run.waited},
    )
    return steps.encode_reply(StepReply(reply, result.state.to_bytes(), Mask(result.mask.box, result.mask.voxels)))


def _mask_prompt(request: StepRequest, volume: Volume) -> MaskPrompt | None:
    from msam.session.masks import CroppedMask
    from msam.session.segmenter import MaskPrompt

    record = request.header.mask
    if record is None:
        return None
    mask = masks.unpack(record.box, request.packed_mask, volume.shape_ijk)
    return MaskPrompt(CroppedMask.cropped(mask.box, mask.voxels), record.seen)
