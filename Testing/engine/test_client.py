"""The client: what it does when it is interrupted, and with what stands between it and the engine."""

from __future__ import annotations

import threading
import time

import httpx
import numpy as np
import pytest
from service_running import INSIDE, TOKEN, Slow, running, volume

from msam.client import Client, Known
from msam.engine_process import Endpoint
from msam.errors import Cancelled
from msam.protocol import names, volumes
from msam.protocol.names import LARGEST_REPLY, Code
from msam.protocol.problems import ProtocolError, ServiceError

HERE = Endpoint("http://127.0.0.1:1", TOKEN)
HEALTH = (
    b'{"protocol":1,"version":"1","model":null,"devices":[],"shared_memory":false,"waiting":0,"volumes":0,'
    b'"memory":{"process":0,"volumes":0,"volumes_limit":0,"embeddings":0,"embeddings_limit":0}}'
)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(volumes, "PART_BYTES", 10_000)
    monkeypatch.setattr("msam.service.uploads.PART_BYTES", 10_000)


def test_ctrl_c_ends_a_step_at_once_and_tells_the_engine():
    network, known = Slow(8.0), Known.of(volume())

    def interrupt(fraction, words):
        if network.began.is_set():
            raise KeyboardInterrupt

    with running(network) as (endpoint, engine), Client(endpoint) as client:
        client.upload(known)
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            client.segment(known, [INSIDE], progress=interrupt)
        assert time.monotonic() - begun < 6
        assert engine.waiting == 0


@pytest.mark.usefixtures("small_parts")
def test_a_cancelled_upload_ends_between_two_pieces_and_is_resumed():
    known, sent = Known.of(volume(3)), []
    with running() as (endpoint, _), Client(endpoint) as client:
        with pytest.raises(Cancelled):
            client.upload(known, lambda done, words: sent.append(done), cancelled=lambda: len(sent) > 3)
        again: list[float] = []
        reply = client.segment(known, [INSIDE], progress=lambda done, words: again.append(done))
        assert reply.mask.voxels.any()
    assert len(sent) == 4
    assert 0 < min(done for done in again if done) < 1


def test_an_upload_over_a_slow_line_is_cancelled_within_half_a_second():
    known, taken = Known.of(noise()), threading.Event()

    class Line(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if "/parts/" not in request.url.path:
                return httpx.Response(200, json={"complete": False, "missing": [0]})
            for _ in request.stream:
                taken.set()
                time.sleep(0.05)
            raise AssertionError("nobody wanted all of it")

    ends: list[float] = []

    def cancelled() -> bool:
        if taken.is_set() and not ends:
            ends.append(time.monotonic())
        return bool(ends)

    with Client(HERE, transport=Line()) as client:
        with pytest.raises(Cancelled):
            client.upload(known, cancelled=cancelled)
        assert time.monotonic() - ends[0] < 0.5


def noise():
    scan = volume()
    voxels = np.random.default_rng(0).integers(-1000, 1000, (40, 128, 128)).astype(np.int16)
    return type(scan)(voxels, np.eye(4), "CT")


@pytest.mark.usefixtures("small_parts")
def test_an_engine_that_is_started_anew_in_the_middle_of_an_upload_gets_all_of_it():
    known, forgotten = Known.of(volume(4)), []
    with running() as (endpoint, engine), Client(endpoint) as client:

        def told(fraction: float, words: str) -> None:
            if fraction > 0.1 and not forgotten:
                forgotten.append(fraction)
                engine.store.drop(known.identity)

        assert client.segment(known, [INSIDE], progress=told).mask.voxels.any()
    assert forgotten


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_whose_engine_is_away_for_a_moment_is_asked_again(status):
    answers = [httpx.Response(status, html="<h1>Bad Gateway</h1>")] * 2
    answers.append(httpx.Response(200, content=HEALTH))
    transport = httpx.MockTransport(lambda request: answers.pop(0))
    with Client(HERE, transport=transport) as client:
        assert client.health().protocol == 1
    with (
        Client(HERE, transport=httpx.MockTransport(lambda request: httpx.Response(status, text="x"))) as client,
        pytest.raises(ServiceError, match=f"HTTP {status}") as caught,
    ):
        client.health()
    assert caught.value.code == Code.BUSY


def test_a_proxy_that_lets_no_large_requests_through_is_named():
    transport = httpx.MockTransport(lambda request: httpx.Response(413, html="<h1>Request Entity Too Large</h1>"))
    with Client(HERE, transport=transport) as client, pytest.raises(ServiceError, match="administrator"):
        client.upload(Known.of(volume()))


def test_something_else_that_answers_is_no_engine():
    transport = httpx.MockTransport(lambda request: httpx.Response(404, html="<h1>It works!</h1>"))
    with Client(HERE, transport=transport) as client, pytest.raises(ServiceError, match="no engine: it says 404"):
        client.health()


def test_a_key_never_follows_a_redirect():
    asked = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"Location": "http://elsewhere.example" + names.HEALTH})

    with Client(HERE, transport=httpx.MockTransport(elsewhere)) as client, pytest.raises(ServiceError):
        client.health()
    assert set(asked) == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("said", "paused"),
    [("1", [1.0, 1.0, 1.0]), ("0", [0.25, 0.5, 1.0]), ("3600", [5.0] * 3), ("soon", [0.25, 0.5, 1.0])],
)
def test_an_engine_that_says_when_to_come_back_is_asked_then(monkeypatch, said, paused):
    pauses: list[float] = []
    monkeypatch.setattr("msam.client.time.sleep", pauses.append)
    busy = httpx.Response(503, headers={"Retry-After": said}, json={"code": "busy", "message": "Too much to do."})
    with (
        Client(HERE, transport=httpx.MockTransport(lambda request: busy)) as client,
        pytest.raises(ServiceError, match="Too much to do"),
    ):
        client.health()
    assert pauses == paused


def test_a_failure_names_the_engine_although_another_thread_closed_the_connections():
    def closed(request: httpx.Request) -> httpx.Response:
        client.close()
        raise httpx.ConnectError("refused")

    client = Client(HERE, transport=httpx.MockTransport(closed))
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:1 cannot be reached: refused"):
        client.health()


class Endless(httpx.SyncByteStream):
    """More than any reply has. `taken` is what was read of it."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self):
        while self.taken < 4 * LARGEST_REPLY:
            self.taken += 1 << 20
            yield bytes(1 << 20)


@pytest.mark.parametrize("announced", [{}, {"Content-Length": str(4 * LARGEST_REPLY)}])
@pytest.mark.parametrize("status", [200, 404])
def test_a_reply_that_is_too_long_is_not_read_to_its_end(announced, status):
    stream = Endless()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, headers=announced, stream=stream))
    with Client(HERE, transport=transport) as client, pytest.raises(ProtocolError, match="a reply can have"):
        client.health()
    assert stream.taken <= (0 if announced else LARGEST_REPLY + (2 << 20))
