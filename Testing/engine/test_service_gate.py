"""Who gets into the service, and what is said of it afterwards; over real connections on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import time
from datetime import UTC, datetime

import httpx
import pytest
from service_running import (
    INSIDE,
    TOKEN,
    code_of,
    connected,
    running,
    volume,
)

from msam.client import Known
from msam.protocol import names, records
from msam.protocol.names import Code, path
from msam.service.gate import Gate
from msam.service.log import JsonLines, Repetitions
from msam.service.metrics import Metrics


@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"]
)
def test_a_wrong_token_opens_nothing(service, token):
    headers = {} if token is None else {"Authorization": token.encode("latin-1")}
    for method, where in (("GET", names.HEALTH), ("POST", names.SEGMENT), ("GET", "/nothing"), ("GET", names.METRICS)):
        answer = httpx.request(method, service[0].url + where, headers=headers, trust_env=False)
        assert code_of(answer) == Code.UNAUTHORISED


def test_another_version_gets_a_clear_answer(plain):
    for answer in (plain.get(names.HEALTH, headers={names.VERSION_HEADER: "2"}), plain.get("/v2/health")):
        assert code_of(answer) == Code.VERSION_MISMATCH
        assert "version 1" in answer.json()["message"]
        assert answer.headers[names.VERSION_HEADER] == "1"


def test_a_body_that_is_too_long_is_refused_before_it_is_read(service):
    with connected(service[0]) as line:
        line.sendall(
            f"POST {names.SEGMENT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Length: {1 << 40}\r\n\r\n".encode()
        )
        assert b"413" in line.recv(4096)


def test_a_body_that_never_ends_is_refused_as_soon_as_it_is_too_long(plain):
    def endless():
        while True:
            yield bytes(1 << 16)

    try:
        answer = plain.put(path(names.VOLUME, volume="0" * 64), content=endless())
    except httpx.WriteError:
        return  # the connection was closed while the client was still sending
    assert code_of(answer) == Code.TOO_LARGE


def test_a_body_that_stands_still_is_given_up():
    with running(body_seconds=0.3) as (endpoint, _), connected(endpoint) as line:
        line.sendall(
            f"POST {names.SEGMENT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Length: 100\r\n\r\nhalf".encode()
        )
        assert b"408" in line.recv(4096)


def test_a_body_that_only_trickles_does_not_keep_others_waiting(monkeypatch):
    monkeypatch.setattr("msam.service.body.SLOWEST", 1 << 30)
    stop = time.monotonic() + 10
    with running(body_seconds=0.5) as (endpoint, _), connected(endpoint) as line:
        line.sendall(
            f"POST {names.SEGMENT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Length: 1000\r\n\r\n".encode()
        )
        line.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() < stop:
            line.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = line.recv(4096)
        assert b"408" in answer


@pytest.mark.parametrize("said", [b"", b"GET /v1/health HT", b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_who_says_nothing_takes_nobodys_place(monkeypatch, said):
    monkeypatch.setattr("msam.service.server.HEADER_SECONDS", 0.5)
    monkeypatch.setattr("msam.service.server.MOST_CONNECTIONS", 5)
    with running() as (endpoint, _), contextlib.ExitStack() as lines:
        silent = [lines.enter_context(connected(endpoint)) for _ in range(5)]
        for line in silent:
            line.sendall(said)
        assert all(line.recv(100) == b"" for line in silent), "closed, although nothing was asked"
        answer = httpx.get(endpoint.url + names.HEALTH, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
        assert answer.status_code == 200


def test_a_connection_that_is_used_is_kept(monkeypatch):
    monkeypatch.setattr("msam.service.server.HEADER_SECONDS", 1.0)
    with running() as (endpoint, _):
        line = http.client.HTTPConnection(endpoint.url.removeprefix("http://"))
        line.connect()
        kept = line.sock
        for _ in range(3):
            line.request("GET", names.HEALTH, headers={"Authorization": f"Bearer {TOKEN}"})
            assert line.getresponse().read()
            assert line.sock is kept
            time.sleep(0.5)
        line.close()


@pytest.mark.parametrize(("host", "code"), [("evil.example", Code.WRONG_HOST), ("evil.example:80", Code.WRONG_HOST)])
@pytest.mark.parametrize("where", [names.HEALTH, names.PAGES])
def test_without_a_key_a_page_from_elsewhere_cannot_pretend_to_be_from_here(host, code, where):
    with running(token=None) as (endpoint, _):
        assert code_of(httpx.get(endpoint.url + where, headers={"Host": host}, trust_env=False)) == code
        for own in ("localhost", "127.0.0.1:8421", "[::1]:8421"):
            assert httpx.get(endpoint.url + where, headers={"Host": own}, trust_env=False).status_code == 200


def test_with_a_key_a_host_may_have_any_name(service):
    headers = {"Host": "gpu.hospital.example", "Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(service[0].url + names.HEALTH, headers=headers, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("GET", "/v1/volumes/../../etc/passwd"),
        ("GET", "/v1/volumes/%2e%2e%2fetc"),
        ("GET", "/v1/volumes/" + "0" * 63),
        ("PUT", "/v1/volumes/" + "0" * 64 + "/parts/-1"),
        ("PUT", "/v1/volumes/" + "0" * 64 + "/parts/x"),
        ("GET", "/v1/runs/a%00b"),
        ("TRACE", "/v1/health"),
        ("POST", "/v1/health"),
        ("GET", "/v1/health/"),
    ],
)
def test_odd_paths_and_methods_are_refused_in_words(plain, method, where):
    answer = plain.request(method, where)
    assert 400 <= answer.status_code < 500
    code_of(answer)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 60_000, b'{"dtype": 1}', b"1e999"])
def test_a_description_that_is_none_is_refused(plain, body):
    assert code_of(plain.put(path(names.VOLUME, volume="0" * 64), content=body)) == Code.MALFORMED


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_description_nested_to_any_depth_is_refused(plain, opening, closing):
    for depth in range(800, 1000):
        body = b'{"dtype":' + opening * depth + b"1" + closing * depth + b"}"
        assert code_of(plain.put(path(names.VOLUME, volume="0" * 64), content=body)) == Code.MALFORMED


def test_a_geometry_that_cannot_be_is_refused(plain):
    known = Known.of(volume(55))
    flat = records.encode(known.description).replace(b'"ijk_to_ras":[1.0', b'"ijk_to_ras":[0.0')
    assert code_of(plain.put(path(names.VOLUME, volume=known.identity), content=flat)) == Code.VOLUME_UNUSABLE


def test_the_description_and_its_page_are_open_and_complete(service):
    description = httpx.get(service[0].url + names.DESCRIPTION, trust_env=False).json()
    assert {names.SEGMENT, names.VOLUME, names.VOLUME_PART, names.RUN, names.HEALTH} <= set(description["paths"])
    page = httpx.get(service[0].url + names.PAGES, trust_env=False).text
    assert names.SEGMENT in page and "<script" not in page and "http" not in page


def test_metrics_are_in_the_format_of_prometheus(client, plain):
    client.segment(volume(), [INSIDE])
    text = plain.get(names.METRICS).text
    assert 'msam_requests_total{method="POST",route="/v1/segment",status="200"}' in text
    assert "msam_volumes_bytes" in text
    # From the start, or the first failure would be no increase.
    assert 'msam_runs_total{outcome="failed"} 0' in text
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rsplit(" ", 1)[1]) >= 0


def test_the_log_holds_nothing_of_a_scan(client, caplog):
    caplog.set_level(logging.INFO, "msam")
    scan = volume(11)
    client.segment(scan, [INSIDE])
    text = "".join(str(vars(record)) for record in caplog.records if record.name.startswith("msam"))
    assert "/v1/segment" in text
    assert Known.of(scan).identity[:8] not in text
    assert TOKEN not in text


def logged(dated=False, **record):
    """What a record becomes in the log."""
    lines = []
    handler = JsonLines(lines.append, dated)
    handler.emit(logging.LogRecord("asyncio", logging.ERROR, "", 0, record["message"], (), None))
    return json.loads(lines[0])


def test_the_log_of_a_host_tells_the_time():
    told = datetime.fromisoformat(logged(dated=True, message="x")["fields"]["time"])
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60
    assert logged(message="x")["fields"] == {}


def test_the_log_does_not_repeat_what_libraries_repeat_of_an_error():
    message = "Task exception was never retrieved\nfuture: <Task exception=ValueError('Jane Doe')>"
    assert logged(message=message)["message"] == "Task exception was never retrieved"


def passed(records, clock):
    """What of these records, of a level and a message each, is written down, by their fields."""
    lines = []
    handler = JsonLines(lines.append, False)
    handler.addFilter(Repetitions(clock))
    for level, message in records:
        handler.handle(logging.LogRecord("asyncio", level, "", 0, message, (), None))
    return [json.loads(line)["fields"] for line in lines]


def test_a_complaint_without_end_fills_no_disk():
    now = [0.0]

    def flood():
        for number in range(1000):
            yield logging.ERROR, f"socket.accept() out of system resource\nsocket: {number}"
        now[0] += 60
        yield logging.ERROR, "socket.accept() out of system resource\nsocket: 1000"

    told = passed(flood(), lambda: now[0])
    assert len(told) == 21
    assert told[-1] == {"unsaid": 980}


def test_other_complaints_and_what_is_no_complaint_are_told_nevertheless():
    one, other, no_complaint = (logging.WARNING, "one"), (logging.WARNING, "other"), (logging.INFO, "request")
    assert len(passed([*[one] * 30, other, *[no_complaint] * 30], lambda: 0.0)) == 20 + 1 + 30


@pytest.mark.parametrize(("address", "told"), [("10.1.2.3", {"from": "10.1.2.3"}), ("127.0.0.1", {})])
def test_the_log_tells_where_those_from_elsewhere_came_from(caplog, address, told):
    caplog.set_level(logging.INFO, "msam")

    async def answer(scope, receive, send):
        raise AssertionError("without the token nothing gets here")

    async def ask():
        scope = {"type": "http", "method": "GET", "path": names.HEALTH, "headers": [], "client": (address, 1)}
        await Gate(answer, TOKEN, Metrics())(scope, None, swallow)

    async def swallow(message):
        pass

    asyncio.run(ask())
    fields = caplog.records[-1].fields
    assert {key: value for key, value in fields.items() if key == "from"} == told
    assert fields["status"] == 401
    assert caplog.records[-1].levelno == logging.WARNING, "whoever has no key could fill a disk with it"
