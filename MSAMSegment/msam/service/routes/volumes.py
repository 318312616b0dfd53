"""Volumes: asking for one, sending one in parts, handing one over in memory."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from msam import shared_memory
from msam.protocol import names, records
from msam.protocol.compression import largest_frame
from msam.protocol.messages import SharedVolume, UploadStatus
from msam.protocol.problems import ServiceError
from msam.protocol.volumes import VolumeDescription
from msam.service import answers
from msam.service.routes.common import PartNumber, VolumeName, bodies_of, body, engine_of

router = APIRouter(tags=["volumes"], responses=answers.PROBLEMS)


@router.get(names.VOLUME, response_model=UploadStatus)
async def ask(request: Request, volume: VolumeName) -> Response:
    """Whether a volume is here, or which of its parts are missing; 404 volume-unknown when nothing is known of it."""
    return answers.json(engine_of(request).store.status(volume))


@router.put(
    names.VOLUME,
    response_model=UploadStatus,
    openapi_extra=body(names.JSON, TypeAdapter(VolumeDescription).json_schema(), "All about it but its voxels."),
)
async def begin(request: Request, volume: VolumeName) -> Response:
    """Announces a volume. The answer tells which parts are missing: all of them, unless some have come before."""
    message = await bodies_of(request).read(request, names.LARGEST_JSON)
    description = records.decode(VolumeDescription, message)
    description.check()
    return answers.json(engine_of(request).store.begin(volume, description))


@router.put(
    names.VOLUME_PART,
    response_model=UploadStatus,
    openapi_extra=body(names.BINARY, {"type": "string", "format": "binary"}, "The part, compressed."),
)
async def receive(request: Request, volume: VolumeName, part: PartNumber) -> Response:
    """Takes a part of an announced volume in. Parts may come in any order, side by side, and again after a break."""
    message = await bodies_of(request).read(request, largest_frame(names.PART_BYTES))
    return answers.json(await asyncio.to_thread(engine_of(request).store.receive, volume, part, message))


@router.put(
    names.VOLUME_SHARED,
    response_model=UploadStatus,
    openapi_extra=body(names.JSON, TypeAdapter(SharedVolume).json_schema(), "The volume, and where its voxels are."),
)
async def adopt(request: Request, volume: VolumeName) -> Response:
    """Takes a volume over that lies in memory of this machine. Only for the process that started this service.

    The voxels come from the one process that knows the token, so they are not hashed again.
    """
    message = await bodies_of(request).read(request, names.LARGEST_JSON)
    engine = engine_of(request)
    if not engine.settings.shares_memory:
        raise ServiceError("This engine takes no volumes over in memory; upload it.", names.Code.NOT_FOUND)
    shared = records.decode(SharedVolume, message)
    description = VolumeDescription(shared.dtype, shared.shape, shared.ijk_to_ras, shared.modality)
    description.check()
    buffer = await asyncio.to_thread(shared_memory.attach, shared.address, description.nbytes)
    return answers.json(engine.store.adopt(volume, description, buffer))
