"""The engine from afar: a client of the service, with time-outs, retries and the upload of what is missing."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TypeVar

import httpx

from msam import shared_memory
from msam.clicks import Click
from msam.client_answers import content_of, distrusted, error_in, pause_after, trusted, unreachable
from msam.engine_process.endpoint import Endpoint
from msam.errors import Cancelled, MsamError
from msam.protocol import masks, names, records, steps, volumes
from msam.protocol.masks import Mask
from msam.protocol.messages import Health, Models, ModelStatus, RunStatus, SharedVolume, UploadStatus
from msam.protocol.names import Code, path
from msam.protocol.problems import ProtocolError, ServiceError
from msam.protocol.steps import ClickRecord, MaskRecord, StepHeader, StepReply, StepRequest
from msam.protocol.volumes import VolumeDescription
from msam.volume import Volume

Report = Callable[[float, str], None]
Record = TypeVar("Record")

CONNECT_SECONDS = 5.0
# A step may wait for a device, load its model, and look at a large object on a processor.
STEP_SECONDS = 600.0
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.1
RETRIES = 4
BACKOFF_SECONDS = 0.25
# Between two looks whether an upload is still wanted.
PIECE_BYTES = 16 << 10
# The share of a step's progress that is the upload, where there is one.
UPLOADING = 0.4


@dataclass(frozen=True)
class Known:
    """A volume as it travels.

    Attributes:
        identity: what it is known by.
        description: all but its voxels.
        data: its bytes, not copied from the volume unless they lie otherwise in its memory.
    """

    identity: str
    description: VolumeDescription
    data: memoryview

    @classmethod
    def of(cls, volume: Volume) -> Known:
        """Hashes a volume, which takes about a second for each 2 GB."""
        description, data = volumes.describe(volume.voxels, volume.ijk_to_ras, volume.modality)
        return cls(volumes.identity(description, volumes.digests(description, data)), description, data)

    @property
    def shape_ijk(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        depth, height, width = self.description.shape
        return width, height, depth


class Client:
    """Speaks with one engine. Threads may share it.

    Every method raises `ServiceError` when the engine cannot be reached, and the errors of `msam.errors` for what the
    engine refuses.
    """

    def __init__(
        self, endpoint: Endpoint | Callable[[], Endpoint], *, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Connects when it is first asked to.

        Args:
            endpoint: where the engine is; or what tells that, asked again after every failure, so that an engine that
                was started anew is found (`EngineProcess.endpoint`).
            transport: instead of the network, for tests.
        """
        self._where = endpoint if callable(endpoint) else lambda: endpoint
        self._transport = transport
        self._open: tuple[httpx.Client, Endpoint] | None = None
        self._name = uuid.uuid4().hex
        self._lock = threading.Lock()

    def __enter__(self) -> Client:
        """Nothing to be done before the first request."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connections."""
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            if self._open is not None:
                self._open[0].close()
            self._open = None

    def health(self) -> Health:
        """How the engine is."""
        return records.decode(Health, self._ask("GET", names.HEALTH))

    def models(self) -> tuple[ModelStatus, ...]:
        """The models that a step may name."""
        return records.decode(Models, self._ask("GET", names.MODELS)).models

    def load(self, model: str, progress: Report | None = None) -> ModelStatus:
        """Loads a model; a step does so by itself when it must."""
        where = path(names.MODEL, model=_plain(model))

        def look() -> None:
            status = records.decode(ModelStatus, self._ask("GET", where))
            if progress is not None:
                progress(status.fraction, status.words)

        answer = self._watched(lambda: self._ask("PUT", where, seconds=STEP_SECONDS), look if progress else None)
        return records.decode(ModelStatus, answer)

    def upload(self, known: Known, progress: Report | None = None, cancelled: Callable[[], bool] | None = None) -> None:
        """Brings a volume to the engine, as far as it is not there: in memory on one machine, else in parts.

        Args:
            known: the volume.
            progress: called with the fraction done, 0 to 1, and words.
            cancelled: polled; a true answer ends the upload with `Cancelled`. What has arrived need not be sent again.

        Raises:
            MsamError: the engine refuses it.
        """
        where = path(names.VOLUME, volume=known.identity)
        if self._connected()[1].shares_memory and self._hand_over(known):
            return
        status = records.decode(UploadStatus, self._ask("PUT", where, records.encode(known.description), names.JSON))
        missing = status.missing
        for number, part in enumerate(missing):
            if progress is not None:
                progress(number / len(missing), "Uploading the scan")
            packed = volumes.pack_part(known.description, known.data, part)
            to = path(names.VOLUME_PART, volume=known.identity, part=part)
            answer = self._ask("PUT", to, packed, seconds=STEP_SECONDS, cancelled=cancelled)
            status = records.decode(UploadStatus, answer)
        if not status.complete:
            raise ServiceError("The scan did not arrive as a whole; try again.", Code.VOLUME_UNKNOWN)

    def segment(
        self,
        volume: Volume | Known,
        clicks: Sequence[Click],
        *,
        state: bytes = b"",
        mask: Mask | None = None,
        seen: int = 0,
        iterations: int = 0,
        model: str | None = None,
        progress: Report | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> StepReply:
        """One step: the mask of a lesion from all its clicks, and the state for the next step.

        Args:
            volume: the scan; `Known.of` spares hashing it again at every step.
            clicks: all of them in the order of their placement, in voxels (i, j, k).
            state: of the step before.
            mask: a mask to go on from, which takes `seen` of the clicks into account already.
            seen: see there.
            iterations: times the mask is fed back without a new click.
            model: None for the engine's own.
            progress: called with the fraction done, 0 to 1, and words.
            cancelled: polled; a true answer ends the step with `Cancelled`.

        Raises:
            PromptError: clicks or a mask that do not fit the volume.
            StateError: the state belongs to another model or volume.
            Cancelled: the caller cancelled the step.
            ServiceError: the engine cannot be reached, or is too busy.
        """
        known = volume if isinstance(volume, Known) else Known.of(volume)
        header = StepHeader(
            volume=known.identity,
            run="",
            clicks=tuple(ClickRecord(_in_voxels(click), click.positive) for click in clicks),
            iterations=iterations,
            model=model,
            mask=None if mask is None else MaskRecord(mask.box, seen),
        )
        request = StepRequest(header, state, b"" if mask is None else masks.pack(mask))
        for attempt in range(RETRIES):
            try:
                return steps.decode_reply(self._step(request, progress, cancelled), known.shape_ijk)
            except ServiceError as error:
                if error.code != Code.VOLUME_UNKNOWN or attempt == RETRIES - 1:
                    raise
            try:
                self.upload(known, progress and _share(progress, UPLOADING), cancelled)
            except ServiceError as error:
                # An engine that was started anew meanwhile does not know of the parts before.
                if error.code != Code.VOLUME_UNKNOWN:
                    raise
        raise ServiceError("The engine forgets the scan again and again; its memory may be too small.")

    def _step(self, request: StepRequest, progress: Report | None, cancelled: Callable[[], bool] | None) -> bytes:
        run = uuid.uuid4().hex
        message = steps.encode_request(replace(request, header=replace(request.header, run=run)))
        where = path(names.RUN, run=run)

        def look() -> None:
            _poll(cancelled)
            status = records.decode(RunStatus, self._ask("GET", where, retries=1))
            if progress is not None:
                progress(status.fraction, status.words)

        watched = look if progress is not None or cancelled is not None else None
        return self._watched(
            lambda: self._ask("POST", names.SEGMENT, message, seconds=STEP_SECONDS),
            watched,
            lambda: self._ask("DELETE", where, seconds=CONNECT_SECONDS, retries=1),
        )

    def _watched(
        self, ask: Callable[[], bytes], look: Callable[[], None] | None, end: Callable[[], object] | None = None
    ) -> bytes:
        """Asks, and looks now and then while the answer is awaited; `end` makes it come once nobody wants it."""
        if look is None:
            return ask()
        with ThreadPoolExecutor(1) as thread:
            answer: Future[bytes] = thread.submit(ask)
            try:
                while True:
                    try:
                        return answer.result(POLL_SECONDS)
                    except StillRunning:
                        # It may not have begun, or have ended just now; the answer itself will tell.
                        with contextlib.suppress(ServiceError):
                            look()
            except BaseException:
                # A cancel, Ctrl+C, a defect in what is told of progress: the thread must end before this call can.
                while end is not None and not answer.done():
                    with contextlib.suppress(MsamError):
                        end()
                    wait([answer], POLL_SECONDS)
                raise

    def _hand_over(self, known: Known) -> bool:
        """Hands a volume over in memory; whether that went well."""
        try:
            offer = shared_memory.offer(known.data)
        except OSError:
            return False
        described = known.description
        message = SharedVolume(
            offer.address, described.dtype, described.shape, described.ijk_to_ras, described.modality
        )
        try:
            self._ask("PUT", path(names.VOLUME_SHARED, volume=known.identity), records.encode(message), names.JSON)
        except ProtocolError:
            return False
        finally:
            offer.close()
        return True

    def _ask(
        self,
        method: str,
        where: str,
        content: bytes | None = None,
        kind: str = names.BINARY,
        *,
        seconds: float = ANSWER_SECONDS,
        retries: int = RETRIES,
        cancelled: Callable[[], bool] | None = None,
    ) -> bytes:
        """One request, asked again when the engine was busy, or could not be reached."""
        headers = {} if content is None else {"Content-Type": kind, "Content-Length": str(len(content))}
        pause = BACKOFF_SECONDS
        while True:
            # The endpoint is kept for the words of a failure: another thread may close the connections meanwhile.
            http, endpoint = self._connected()
            last, asked_for = False, 0.0
            try:
                with http.stream(
                    method,
                    where,
                    content=_pieces(content, cancelled) if content and cancelled else content,
                    headers=headers,
                    timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS, write=ANSWER_SECONDS),
                ) as answer:
                    found = content_of(answer)
                if answer.is_success:
                    return found
                failure = error_in(answer, found, endpoint)
                last = not (isinstance(failure, ServiceError) and failure.code and failure.code.worth_a_retry)
                asked_for = pause_after(answer)
            except httpx.TimeoutException as error:
                failure, last = unreachable(endpoint, "it does not answer in time"), True
                failure.__cause__ = error
                self.close()
            except (httpx.TransportError, RuntimeError) as error:
                # A client that another thread closed after a failure of its own says so with a RuntimeError.
                mistrust = distrusted(endpoint, error)
                failure = mistrust or unreachable(endpoint, str(error) or type(error).__name__)
                last = mistrust is not None
                failure.__cause__ = error
                self.close()
            retries -= 1
            if last or not retries:
                raise failure
            time.sleep(max(pause, asked_for))
            pause *= 2

    def _connected(self) -> tuple[httpx.Client, Endpoint]:
        with self._lock:
            if self._open is None:
                endpoint = self._where()
                self._open = self._opened(endpoint), endpoint
            return self._open

    def _opened(self, endpoint: Endpoint) -> httpx.Client:
        headers = {names.VERSION_HEADER: str(names.VERSION), names.CLIENT_HEADER: self._name}
        # What is large is compressed already; and how large an answer is can be told before it is unpacked.
        headers["Accept-Encoding"] = "identity"
        if endpoint.token is not None:
            headers[names.AUTHORISATION] = f"{names.BEARER}{endpoint.token}"
        # Without TLS there is nothing to trust, and reading the system's certificates takes a while.
        secure = endpoint.url.startswith("https:")
        return httpx.Client(
            base_url=endpoint.url,
            headers=headers,
            verify=trusted(endpoint.certificates) if secure else False,
            transport=self._transport,
            trust_env=secure,
        )


def _pieces(content: bytes, cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """A content over a line that may be slow: between its pieces it is looked whether it is still wanted."""
    for at in range(0, len(content), PIECE_BYTES):
        _poll(cancelled)
        yield content[at : at + PIECE_BYTES]


def _poll(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("The run was cancelled. The points and the mask are as they were before it.")


def _in_voxels(click: Click) -> tuple[float, float, float]:
    if click.frame != "ijk":
        raise ProtocolError("Clicks travel in voxels (i, j, k); use Volume.to_ijk first.")
    return click.position


def _plain(name: str) -> str:
    if not names.NAME.fullmatch(name):
        raise ServiceError(f"'{name:.64}' cannot be the name of a model.", Code.MODEL_UNKNOWN)
    return name


def _share(progress: Report, share: float) -> Report:
    return lambda done, words: progress(share * done, words)
