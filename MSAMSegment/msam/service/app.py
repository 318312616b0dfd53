"""The application: the engine, its paths, and what every request passes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from msam import __version__
from msam.errors import MsamError
from msam.protocol import names
from msam.protocol.names import Code
from msam.service import answers
from msam.service.bench import Load, load_served
from msam.service.body import Bodies
from msam.service.engine import Engine
from msam.service.gate import Gate
from msam.service.routes import models, status, steps, volumes
from msam.service.settings import Settings

ABOUT = (
    "Segments lesions in CT and MR volumes from clicks (M-SAM, arXiv 2403.05912).\n\n"
    "Every request carries 'Authorization: Bearer TOKEN'. The binary messages are described in the package "
    "msam.protocol, which also reads and writes them.\n\n"
    "The service keeps no truth: a volume may have been dropped (code volume-unknown: upload it and ask again), and "
    "everything else that a step needs is in its request."
)


def create_app(settings: Settings, load: Load = load_served) -> FastAPI:
    """A service.

    Args:
        settings: how it runs.
        load: gives models; tests put stand-ins here.
    """
    engine = Engine(settings, load)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine.start()
        yield
        await engine.stop()

    app = FastAPI(
        title="MSAMSegment engine",
        description=ABOUT,
        version=__version__,
        openapi_url=names.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.engine = engine
    app.state.bodies = Bodies(settings.body_seconds)
    for routes in (volumes, steps, models, status):
        app.include_router(routes.router)
    app.add_exception_handler(MsamError, _refused)
    app.add_exception_handler(HTTPException, _not_served)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_middleware(Gate, token=settings.token, metrics=engine.metrics)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, MsamError)
    return answers.refusal(error)


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == Code.WRONG_METHOD.status:
        answer = answers.problem(Code.WRONG_METHOD, "This path is not served with that method.")
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code == Code.NOT_FOUND.status:
        return answers.problem(Code.NOT_FOUND, "There is nothing at this path.")
    return answers.problem(Code.MALFORMED, "The request cannot be read.")


async def _malformed(request: Request, error: Exception) -> Response:
    return answers.problem(Code.MALFORMED, "The path of the request names what cannot be: see the protocol.")
