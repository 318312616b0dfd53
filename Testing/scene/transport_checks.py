"""What every transport must do; the tests of each one are these, with its own `transport` fixture."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from odd_server import Server, make_certificate, serving

from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.transport import Answer, ProcessCallbacks, Request, Transport

PATIENCE = 120.0


def ask(transport: Transport, request: Request, onProgress: Callable[[int, int], None] | None = None) -> Answer:
    """The answer to a request, waited for."""
    answers: list[Answer] = []
    transport.send(request, answers.append, onProgress)
    assert not answers, "it called back from within the call"
    assert transport.runUntil(lambda: bool(answers), PATIENCE)
    return answers[0]


class Started:
    """A process of Python, and all that was told of it."""

    def __init__(self, transport: Transport, code: str, **environment: str) -> None:
        self.output: list[bytes] = []
        self.complaints: list[bytes] = []
        self.ends: list[int] = []
        self.reasons: list[str] = []
        callbacks = ProcessCallbacks(self.output.append, self.complaints.append, self.ends.append, self.reasons.append)
        self.process = transport.startProcess([sys.executable, "-u", "-c", code], environment, callbacks)


class TransportChecks:
    """The checks."""

    @pytest.fixture(scope="class")
    @classmethod
    def odd(cls) -> Iterator[tuple[str, Server]]:
        """An address of an odd server."""
        with serving() as found:
            yield found

    @pytest.fixture(scope="class")
    @classmethod
    def secure(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
        """An address with TLS, and its certificate, which nobody trusts."""
        certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
        with serving(certificate, key) as (url, _):
            yield url, certificate

    @pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
    def test_every_method_arrives_with_its_headers_and_its_body(self, transport: Any, odd: Any, method: str) -> None:
        body = bytes(range(256)) * 10 if method in ("PUT", "POST") else b""
        request = Request(method, f"{odd[0]}/echo", {"X-Shown": "this"}, body)
        assert ask(transport, request) == Answer(200, method.encode() + b"|this|" + body)

    def test_a_large_body_comes_back_identical_and_its_progress_is_told(self, transport: Any, odd: Any) -> None:
        body, told = os.urandom(4_000_000), []
        answer = ask(transport, Request("POST", f"{odd[0]}/echo", {}, body), lambda *numbers: told.append(numbers))
        assert answer.body == b"POST||" + body
        assert told[-1] == (len(body), len(body))
        assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)

    @pytest.mark.parametrize("status", [404, 409, 422, 500, 503])
    def test_a_refusal_is_an_answer_with_a_body(self, transport: Any, odd: Any, status: int) -> None:
        assert ask(transport, Request("GET", f"{odd[0]}/status/{status}")) == Answer(status, b"words")

    def test_a_wrong_key_is_told_by_its_status(self, transport: Any, odd: Any) -> None:
        assert ask(transport, Request("GET", f"{odd[0]}/status/401")).status == 401

    def test_a_redirection_is_not_followed(self, transport: Any, odd: Any) -> None:
        assert ask(transport, Request("GET", f"{odd[0]}/redirect")).status == 302

    def test_a_slow_answer_is_given_up_in_time(self, transport: Any, odd: Any) -> None:
        begun = time.monotonic()
        assert ask(transport, Request("GET", f"{odd[0]}/slow", seconds=0.3)) == Answer(0, failure=Failure.TOO_SLOW)
        assert time.monotonic() - begun < 2

    def test_a_connection_that_breaks_is_no_answer(self, transport: Any, odd: Any) -> None:
        assert ask(transport, Request("GET", f"{odd[0]}/break")) == Answer(0, failure=Failure.LOST)

    def test_a_cancelled_request_is_never_answered(self, transport: Any, odd: Any) -> None:
        url, server = odd
        server.begun.clear()
        answers: list[Answer] = []
        sent = transport.send(Request("GET", f"{url}/slow", seconds=0.6), answers.append)
        assert transport.runUntil(server.begun.is_set, PATIENCE)
        sent.cancel()
        sent.cancel()
        transport.runUntil(lambda: False, 0.8)
        assert not answers

    def test_cancelling_what_has_ended_does_nothing(self, transport: Any, odd: Any) -> None:
        answers: list[Answer] = []
        sent = transport.send(Request("GET", f"{odd[0]}/echo"), answers.append)
        assert transport.runUntil(lambda: bool(answers), PATIENCE)
        sent.cancel()
        assert len(answers) == 1

    def test_other_things_go_on_while_an_answer_is_awaited(self, transport: Any, odd: Any) -> None:
        answers: list[Answer] = []
        transport.send(Request("GET", f"{odd[0]}/slow"), answers.append)
        assert ask(transport, Request("GET", f"{odd[0]}/echo")).status == 200
        assert not answers

    def test_an_address_where_nothing_listens_is_told(self, transport: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        answer = ask(transport, Request("GET", f"http://127.0.0.1:{port}/"))
        assert answer == Answer(0, failure=Failure.NOTHING_LISTENS)

    def test_a_name_that_nobody_has_is_told(self, transport: Any) -> None:
        answer = ask(transport, Request("GET", "https://no-such-host.invalid/"))
        assert answer == Answer(0, failure=Failure.NO_SUCH_ADDRESS)

    def test_a_certificate_that_nobody_trusts_is_told(self, transport: Any, secure: Any) -> None:
        assert ask(transport, Request("GET", f"{secure[0]}/echo")) == Answer(0, failure=Failure.NOT_TRUSTED)

    def test_a_certificate_that_the_request_names_is_trusted(self, transport: Any, secure: Any) -> None:
        url, certificate = secure
        assert ask(transport, Request("GET", f"{url}/echo", certificates=str(certificate))).status == 200
        assert ask(transport, Request("GET", f"{url}/echo")).failure == Failure.NOT_TRUSTED

    def test_a_file_without_certificates_is_told(self, transport: Any, secure: Any, tmp_path: Path) -> None:
        missing = Request("GET", f"{secure[0]}/echo", certificates=str(tmp_path / "none.pem"))
        assert ask(transport, missing) == Answer(0, failure=Failure.NO_CERTIFICATES)

    def test_a_server_without_tls_is_told(self, transport: Any, odd: Any) -> None:
        secure = odd[0].replace("http:", "https:")
        assert ask(transport, Request("GET", f"{secure}/echo")).failure in (Failure.NO_ENCRYPTION, Failure.LOST)

    # Processes

    def test_a_process_reads_writes_and_ends(self, transport: Any) -> None:
        code = "import os,sys; print(input()); print(os.environ['GIVEN']); print(sorted(os.environ), file=sys.stderr);"
        started = Started(
            transport, code + "print(sys.stdin.read() == ''); print('end', end=''); sys.exit(3)", GIVEN="x"
        )
        assert not started.output
        started.process.write(b"first line\n")
        started.process.closeInput()
        assert transport.runUntil(lambda: bool(started.ends), PATIENCE)
        assert started.output == [b"first line", b"x", b"True", b"end"]
        assert started.ends == [3]
        assert b"'GIVEN'" in started.complaints[0]
        assert b"'HOME'" not in started.complaints[0], "it has more than the environment it was given"

    def test_a_process_that_is_killed_ends_with_a_negative_code(self, transport: Any) -> None:
        started = Started(transport, "print('here'); import time; time.sleep(60)")
        assert transport.runUntil(lambda: bool(started.output), PATIENCE)
        started.process.kill()
        assert transport.runUntil(lambda: bool(started.ends), PATIENCE)
        assert started.ends == [-9]
        started.process.kill()
        started.process.write(b"nobody hears this")

    def test_a_program_that_is_not_there_cannot_be_started(self, transport: Any, tmp_path: Path) -> None:
        reasons: list[str] = []
        callbacks = ProcessCallbacks(reasons.append, reasons.append, reasons.append, reasons.append)  # type: ignore[arg-type]
        process = transport.startProcess([str(tmp_path / "none")], {"A": "b"}, callbacks)
        process.write(b"token\n")
        assert not reasons
        assert transport.runUntil(lambda: bool(reasons), PATIENCE)
        transport.runUntil(lambda: False, 0.1)
        assert len(reasons) == 1
        assert str(tmp_path / "none") in reasons[0]

    def test_many_lines_arrive_whole_and_in_order(self, transport: Any) -> None:
        started = Started(transport, "for n in range(20000): print(n, 'x' * (n % 50))")
        assert transport.runUntil(lambda: bool(started.ends), PATIENCE)
        assert [int(line.split()[0]) for line in started.output] == list(range(20000))

    # Time

    def test_timers_ring_once_later_and_in_order(self, transport: Any) -> None:
        rung: list[str] = []
        transport.callLater(0.1, lambda: rung.append("second"))
        transport.callLater(0, lambda: rung.append("first"))
        cancelled = transport.callLater(0.05, lambda: rung.append("never"))
        assert not rung
        cancelled.cancel()
        assert transport.runUntil(lambda: len(rung) == 2, PATIENCE)
        transport.runUntil(lambda: False, 0.15)
        assert rung == ["first", "second"]
        cancelled.cancel()

    def test_waiting_ends_when_it_must(self, transport: Any) -> None:
        begun = transport.now()
        assert not transport.runUntil(lambda: False, 0.2)
        assert 0.15 < transport.now() - begun < 2

    def test_closing_ends_all_that_is_under_way(self, transport: Any, odd: Any) -> None:
        told: list[object] = []
        started = Started(transport, "import os; print(os.getpid()); import time; time.sleep(60)")
        assert transport.runUntil(lambda: bool(started.output), PATIENCE)
        transport.send(Request("GET", f"{odd[0]}/slow"), told.append)
        transport.callLater(0, lambda: told.append("rung"))
        transport.close()
        transport.close()
        assert not told
        assert not started.ends
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.output[0]), 0)
