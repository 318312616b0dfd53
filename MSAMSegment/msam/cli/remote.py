"""One lesion of one scan, worked on by an engine elsewhere (`--engine URL`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from msam.cli.outcome import Outcome, Report
from msam.clicks import Click
from msam.errors import MsamError
from msam.measurements import measure
from msam.volume import Volume

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from msam.engine_process.endpoint import Endpoint
    from msam.protocol.steps import ReplyHeader


def endpoint_of(url: str, key_file: Path | None, certificates: Path | None) -> Endpoint:
    """The engine at an address, with the key for it from a file or the environment.

    Raises:
        MsamError: the address or the key is unusable, or the key would travel in the clear.
    """
    from msam.access import api_key, is_loopback
    from msam.engine_process.endpoint import Endpoint

    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise MsamError(f"'{url}' is not the address of an engine; write https://HOST:PORT.")
    if address.scheme == "http" and not is_loopback(address.host):
        raise MsamError(f"The scan and the key would travel to {address.host} in the clear; use https.")
    if certificates is not None and not certificates.is_file():
        raise MsamError(f"There is no file {certificates}.")
    return Endpoint(
        url.rstrip("/"), api_key(key_file), certificates=None if certificates is None else str(certificates)
    )


def run_remote(
    endpoint: Endpoint,
    volume: Volume,
    clicks: Sequence[Click],
    *,
    refine: int,
    model: str | None,
    mask_prompt: npt.NDArray[np.bool_] | None = None,
    report: Report | None = None,
) -> tuple[Outcome, ReplyHeader]:
    """Segments what the clicks show, and refines it, as `outcome.run` does here.

    Returns:
        The outcome, and the header of the last reply, which tells what made it.

    Raises:
        MsamError: the engine cannot be reached, or refuses the scan or the clicks.
    """
    from msam.client import Client, Known
    from msam.protocol.masks import cropped
    from msam.session.prompts import Prompts
    from msam.session.result import Result

    prompts = Prompts()
    for click in clicks:
        prompts = prompts.add(volume, click.position, click.positive, click.frame)
    placed = [Click(point.position_ijk, point.positive) for point in prompts]
    prompt = None if mask_prompt is None else cropped(mask_prompt)
    with Client(endpoint) as client:
        known = Known.of(volume)
        reply = client.segment(known, placed, mask=prompt, model=model, progress=report)
        iterations = reply.header.iterations
        if refine and reply.mask.voxels.size:
            reply = client.segment(known, placed, state=reply.state, iterations=refine, model=model, progress=report)
            iterations += reply.header.iterations
    mask, header = reply.mask.whole(volume.shape_ijk), reply.header
    result = Result(
        box=reply.mask.box,
        voxels=reply.mask.voxels,
        is_empty=not reply.mask.voxels.size,
        message=header.message,
        quality=header.quality,
        iterations=header.iterations,
        state=reply.state,
        timings=header.timings,
    )
    return Outcome(mask, prompts.points, result, iterations, measure(mask, volume)), header
