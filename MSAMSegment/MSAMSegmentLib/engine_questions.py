"""What can be asked of an engine besides steps: whether it is well, which models it has, and to load one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol import names
from msam.protocol.messages import Health, Models, ModelStatus
from msam.protocol.names import path
from MSAMSegmentLib.engine_exchange import healthIn, read, requestTo
from MSAMSegmentLib.errand import Errand
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Answer, Cancellable, Transport

Record = TypeVar("Record")
HEALTH_SECONDS = 10.0
# A large model from a slow disk.
LOAD_SECONDS = 600.0
POLL_SECONDS = 0.2


class Link(Protocol):
    """What these questions need of an `engine_link.EngineLink`."""

    def whenReady(self, onReady: Callable[[Endpoint], None], onFailed: Callable[[MsamError], None]) -> Cancellable:
        """Tells once when the engine is ready or cannot be had."""


def askWhetherWell(link: Link, transport: Transport, onDone: Callable[[bool, str], None]) -> Cancellable:
    """See `EngineLink.test`."""
    errand = Errand()

    def answered(endpoint: Endpoint, answer: Answer) -> None:
        try:
            health = healthIn(answer, endpoint)
        except MsamError as error:
            onDone(False, str(error))
        else:
            onDone(True, _wellWords(health))

    def ready(endpoint: Endpoint) -> None:
        request = requestTo(endpoint, "GET", names.HEALTH, seconds=HEALTH_SECONDS)
        errand.hold(transport.send(request, lambda answer: answered(endpoint, answer)))

    errand.hold(link.whenReady(ready, lambda error: onDone(False, str(error))))
    return errand


def askForModels(
    link: Link, transport: Transport, onDone: Callable[[tuple[ModelStatus, ...], str], None]
) -> Cancellable:
    """See `EngineLink.models`."""
    errand = Errand()

    def answered(endpoint: Endpoint, answer: Answer) -> None:
        try:
            models = read(Models, answer, endpoint).models
        except MsamError as error:
            onDone((), str(error))
        else:
            onDone(models, "")

    def ready(endpoint: Endpoint) -> None:
        request = requestTo(endpoint, "GET", names.MODELS)
        errand.hold(transport.send(request, lambda answer: answered(endpoint, answer)))

    errand.hold(link.whenReady(ready, lambda error: onDone((), str(error))))
    return errand


def loadModel(
    link: Link,
    transport: Transport,
    name: str,
    onProgress: Callable[[float, str], None],
    onDone: Callable[[bool, str], None],
) -> Cancellable:
    """See `EngineLink.loadModel`."""
    errand = Errand()
    if not names.NAME.fullmatch(name):
        raise SceneError(_("'{name}' cannot be the name of a model.").format(name=name[:64]))
    where = path(names.MODEL, model=name)

    def loaded(endpoint: Endpoint, answer: Answer) -> None:
        errand.cancel()
        try:
            read(ModelStatus, answer, endpoint)
        except MsamError as error:
            onDone(False, str(error))
        else:
            onDone(True, _("The model {name} is loaded.").format(name=name))

    def look(endpoint: Endpoint) -> None:
        request = requestTo(endpoint, "GET", where, seconds=HEALTH_SECONDS)
        errand.hold(transport.send(request, lambda answer: looked(endpoint, answer)), "looking")

    def looked(endpoint: Endpoint, answer: Answer) -> None:
        # The answer to the loading itself tells what goes wrong; a look that fails tells nothing.
        if answer.status == 200:
            status = read(ModelStatus, answer, endpoint)
            onProgress(status.fraction, status.words)
        if not errand.isOver:
            errand.hold(transport.callLater(POLL_SECONDS, lambda: look(endpoint)), "looking")

    def ready(endpoint: Endpoint) -> None:
        request = requestTo(endpoint, "PUT", where, seconds=LOAD_SECONDS)
        errand.hold(transport.send(request, lambda answer: loaded(endpoint, answer)))
        errand.hold(transport.callLater(POLL_SECONDS, lambda: look(endpoint)), "looking")

    errand.hold(link.whenReady(ready, lambda error: onDone(False, str(error))))
    return errand


def _wellWords(health: Health) -> str:
    model = _("the model {name}").format(name=health.model) if health.model else _("no model of its own")
    devices = ", ".join(health.devices) or _("a device that is being prepared")
    return _("All is well: {model} on {devices}, version {version}.").format(
        model=model, devices=devices, version=health.version
    )
