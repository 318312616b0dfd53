"""Models: which there are, and loading one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from msam.protocol import names
from msam.protocol.messages import Models, ModelStatus
from msam.service import answers
from msam.service.routes.common import Name, caller_of, engine_of

router = APIRouter(tags=["models"], responses=answers.PROBLEMS)


@router.get(names.MODELS, response_model=Models)
async def statuses(request: Request) -> Response:
    """Every model that a step may name, and how its loading stands."""
    return answers.json(Models(engine_of(request).catalogue.statuses()))


@router.get(names.MODEL, response_model=ModelStatus)
async def status(request: Request, model: Name) -> Response:
    """One model, and how its loading stands."""
    return answers.json(engine_of(request).catalogue.status(model))


@router.put(names.MODEL, response_model=ModelStatus)
async def load(request: Request, model: Name) -> Response:
    """Loads a model, and answers when that is done. A step loads its model by itself where nobody has before it."""
    engine = engine_of(request)
    return answers.json(engine.catalogue.status(await engine.load(model, caller_of(request))))
