"""Steps: segmenting, its progress, and its end on request."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import APIRouter, Request, Response

from msam.protocol import names, steps
from msam.protocol.messages import RunStatus
from msam.service import answers
from msam.service.bench import Bench
from msam.service.engine import Engine
from msam.service.routes.common import Name, binary_reply, bodies_of, body, caller_of, engine_of
from msam.service.runs import Run
from msam.service.step import perform

router = APIRouter(tags=["steps"], responses=answers.PROBLEMS)


@router.post(
    names.SEGMENT,
    response_class=Response,
    responses=binary_reply("A StepReply: the mask, its quality, the new state.", names.BINARY),
    openapi_extra=body(
        names.BINARY,
        {"type": "string", "format": "binary"},
        "A StepRequest: clicks, iterations, the state of the step before, a mask prompt.",
    ),
)
async def segment(request: Request) -> Response:
    """Segments what the clicks ask for, and refines it as often as the request says.

    The answer depends on the request and the volume alone. 404 volume-unknown asks for the volume first.
    """
    engine = engine_of(request)
    step = steps.decode_request(await bodies_of(request).read(request, names.LARGEST_REQUEST))
    volume = engine.store.get(step.header.volume)
    engine.catalogue.source(step.header.model)

    def work(bench: Bench, run: Run[bytes]) -> bytes:
        return perform(bench, run, volume, step, engine.metrics)

    run = Run(step.header.run, caller_of(request), work)
    engine.runs.add(run)
    try:
        engine.submit(run, step.header.volume)
        return answers.binary(await _outcome(engine, run, request))
    finally:
        engine.runs.discard(run)


@router.get(names.RUN, response_model=RunStatus)
async def progress(request: Request, run: Name) -> Response:
    """How far a step is that has not been answered yet."""
    return answers.json(engine_of(request).runs.status(run))


@router.delete(names.RUN, status_code=204, response_class=Response)
async def cancel(request: Request, run: Name) -> Response:
    """Cancels a step: its request is answered at once, with the code `cancelled`."""
    engine_of(request).runs.cancel(run)
    return Response(status_code=204)


async def _outcome(engine: Engine, run: Run[bytes], request: Request) -> bytes:
    """Waits for a run, or until nobody waits for it any more."""
    gone = asyncio.create_task(_disconnected(request))
    try:
        waiting: set[asyncio.Future[Any]] = {run.outcome, gone}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not run.outcome.done():
            engine.runs.cancel(run.name)
        return await run.outcome
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
