"""How the service is: for clients, for Prometheus, and for people who want to know the protocol."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, PlainTextResponse

from msam.protocol import names
from msam.protocol.messages import Health
from msam.service import answers
from msam.service.description_page import page
from msam.service.engine import process_bytes
from msam.service.metrics import CONTENT_TYPE
from msam.service.routes.common import engine_of

router = APIRouter(tags=["status"], responses=answers.PROBLEMS)


@router.get(names.HEALTH, response_model=Health)
async def health(request: Request) -> Response:
    """Model, devices, memory, version."""
    return answers.json(engine_of(request).health())


@router.get(names.METRICS, response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Numbers for Prometheus."""
    engine = engine_of(request)
    gauges = {
        "msam_waiting": engine.waiting,
        "msam_volumes": len(engine.store),
        "msam_volumes_bytes": engine.store.nbytes,
        "msam_embeddings_bytes": engine.embedding_bytes,
        "msam_process_bytes": process_bytes() or 0,
    }
    return PlainTextResponse(engine.metrics.text(gauges), media_type=CONTENT_TYPE)


@router.get(names.PAGES, include_in_schema=False)
async def pages(request: Request) -> Response:
    """The description for people. It needs no network and runs no script."""
    return HTMLResponse(page(request.app.openapi()))
