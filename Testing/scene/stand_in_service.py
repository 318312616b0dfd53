"""The answers of the stand-in engine: the protocol over plain functions, without network, process or model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stand_in_drawing import Drawing, draw

from msam import __version__, shared_memory
from msam.errors import Cancelled, MsamError
from msam.protocol import names, records, steps, volumes
from msam.protocol.messages import Health, Memory, Models, ModelStatus, RunStatus, SharedVolume, UploadStatus
from msam.protocol.names import Code
from msam.protocol.problems import ProtocolError, ServiceError, problem_of
from msam.protocol.steps import ReplyHeader, StepHeader, StepReply
from msam.protocol.volumes import VolumeDescription

MODEL, DEVICE, QUALITY = "stand-in", "cpu", 0.9
Reply = Callable[[int, bytes], None]
Later = Callable[[int, Callable[[], None]], None]


@dataclass
class Upload:
    """A volume in memory, or on its way there."""

    description: VolumeDescription
    parts: dict[int, bytes] = field(default_factory=dict)

    @property
    def status(self) -> UploadStatus:
        """Which parts are missing."""
        missing = tuple(part for part in range(self.description.parts) if part not in self.parts)
        return UploadStatus(not missing, missing)


@dataclass
class Running:
    """A step that has not been answered; `done` of its `length` pumps have passed."""

    reply: Reply
    length: int
    done: int = 0


class StandInService:
    """Answers requests; what takes a while is answered after so many pumps.

    Attributes:
        drawing: what masks look like.
        token: that a request must show; None for any.
        delay: pumps before a step is answered.
        uploadDelay: pumps before the loading of a model, a part of a volume or its hand-over in memory is answered.
        failures: codes that the next steps fail with, one each.
        requests: the headers of all steps that were asked for.
        asked: "METHOD path" of everything that was asked for.
        uploads: the volumes that are here, by identity.
        protocol, sharesMemory: what the health says.
    """

    def __init__(self, later: Later) -> None:
        self.drawing = Drawing()
        self.token: str | None = None
        self.delay = 0
        self.uploadDelay = 0
        self.failures: list[Code] = []
        self.requests: list[StepHeader] = []
        self.asked: list[str] = []
        self.uploads: dict[str, Upload] = {}
        self.protocol = names.VERSION
        self.sharesMemory = True
        self._later = later
        self._runs: dict[str, Running] = {}

    @property
    def running(self) -> int:
        """How many steps have not been answered."""
        return len(self._runs)

    def abandon(self) -> None:
        """Forgets the steps under way: the process that worked on them is gone, or nobody waits for them."""
        self._runs.clear()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes, reply: Reply) -> None:
        """Answers a request, now or after some pumps."""
        self.asked.append(f"{method} {path}")
        try:
            if self.token is not None and headers.get(names.AUTHORISATION) != f"{names.BEARER}{self.token}":
                raise ServiceError("The token of the request is missing or wrong.", Code.UNAUTHORISED)
            self._route(method, path.removeprefix("/v1/").split("/"), body, reply)
        except MsamError as error:
            refuse(error, reply)

    def _route(self, method: str, parts: list[str], body: bytes, reply: Reply) -> None:
        match method, parts:
            case "GET", ["health"]:
                _say(self._health(), reply)
            case "GET", ["models"]:
                _say(Models((self._model("loaded"),)), reply)
            case "GET" | "PUT", ["models", name]:
                if name != MODEL:
                    raise ServiceError(f"There is no model called '{name}'.", Code.MODEL_UNKNOWN)
                pumps = self.uploadDelay if method == "PUT" else 0
                self._later(pumps, lambda: _say(self._model("loaded"), reply))
            case "PUT", ["volumes", identity]:
                description = records.decode(VolumeDescription, body)
                _say(self.uploads.setdefault(identity, Upload(description)).status, reply)
            case "PUT", ["volumes", identity, "parts", part]:
                self._later(self.uploadDelay, lambda: _guarded(lambda: self._part(identity, int(part), body), reply))
            case "PUT", ["volumes", identity, "shared"]:
                self._later(self.uploadDelay, lambda: _guarded(lambda: self._adopt(identity, body), reply))
            case "POST", ["segment"]:
                self._segment(body, reply)
            case "GET", ["runs", name]:
                run = self._run(name)
                _say(RunStatus("running", run.done / max(1, run.length), "Segmenting", 0), reply)
            case "DELETE", ["runs", name]:
                refuse(Cancelled("The run was cancelled. Nothing has changed."), self._run(name).reply)
                del self._runs[name]
                reply(204, b"")
            case _:
                raise ServiceError("There is nothing at this path.", Code.NOT_FOUND)

    def _health(self) -> Health:
        memory = Memory(None, 0, 1 << 30, 0, 1 << 30)
        count = len(self.uploads)
        return Health(self.protocol, __version__, MODEL, (DEVICE,), self.sharesMemory, self.running, count, memory)

    def _model(self, state: str) -> ModelStatus:
        return ModelStatus(MODEL, "Draws balls at the clicks", "Apache-2.0", 1, state, 1.0, "")

    def _run(self, name: str) -> Running:
        if name not in self._runs:
            raise ServiceError("There is no such run; it may have ended.", Code.RUN_UNKNOWN)
        return self._runs[name]

    def _part(self, identity: str, part: int, packed: bytes) -> UploadStatus:
        upload = self._upload(identity)
        upload.parts[part] = volumes.unpack_part(upload.description, part, packed)
        if upload.status.complete:
            self._verify(identity, upload)
        return upload.status

    def _adopt(self, identity: str, body: bytes) -> UploadStatus:
        shared = records.decode(SharedVolume, body)
        if not self.sharesMemory:
            raise ServiceError("This engine takes no volumes over in memory; upload it.", Code.NOT_FOUND)
        description = VolumeDescription(shared.dtype, shared.shape, shared.ijk_to_ras, shared.modality)
        content = memoryview(bytes(shared_memory.attach(shared.address, description.nbytes)))
        each = {part: bytes(volumes.cut(description, content, part)) for part in range(description.parts)}
        self._verify(identity, upload := Upload(description, each))
        self.uploads[identity] = upload
        return upload.status

    def _verify(self, identity: str, upload: Upload) -> None:
        content = memoryview(b"".join(upload.parts[part] for part in sorted(upload.parts)))
        if volumes.identity(upload.description, volumes.digests(upload.description, content)) != identity:
            self.uploads.pop(identity, None)
            raise ProtocolError("The voxels that arrived are not those of the volume announced. Upload it again.")

    def _upload(self, identity: str) -> Upload:
        if identity not in self.uploads:
            raise ServiceError("The volume is not known here. Upload it, then ask again.", Code.VOLUME_UNKNOWN)
        return self.uploads[identity]

    def _segment(self, body: bytes, reply: Reply) -> None:
        request = steps.decode_request(body)
        self.requests.append(request.header)
        if self.failures:
            raise ServiceError("The stand-in was told to fail.", self.failures.pop(0))
        upload = self._upload(request.header.volume)
        if not upload.status.complete:
            raise ServiceError("The volume is not known here. Upload it, then ask again.", Code.VOLUME_UNKNOWN)
        name = request.header.run
        run = self._runs[name] = Running(reply, self.delay)

        def go_on() -> None:
            if self._runs.get(name) is not run:
                return
            if run.done < run.length:
                run.done += 1
                self._later(1, go_on)
                return
            del self._runs[name]
            try:
                drawn = draw(self.drawing, upload.description, request)
            except MsamError as error:
                refuse(error, reply)
                return
            words = f"The mask has {drawn.mask.voxels.sum():,} voxels."
            header = ReplyHeader(drawn.mask.box, QUALITY, drawn.iterations, words, MODEL, DEVICE, {"total": 0.0})
            reply(200, steps.encode_reply(StepReply(header, drawn.state, drawn.mask)))

        self._later(0, go_on)


def refuse(error: MsamError, reply: Reply) -> None:
    """Answers with what went wrong."""
    problem = problem_of(error)
    reply(Code(problem.code).status, records.encode(problem))


def _guarded(work: Callable[[], UploadStatus], reply: Reply) -> None:
    try:
        status = work()
    except MsamError as error:
        refuse(error, reply)
    else:
        _say(status, reply)


def _say(record: object, reply: Reply) -> None:
    reply(200, records.encode(record))
