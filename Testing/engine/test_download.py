"""Downloading, against a server on this computer that can misbehave in every way."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from msam.checkpoints.download import download
from msam.checkpoints.known import KnownModel
from msam.errors import Cancelled, DownloadError

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several pieces
OTHER = bytes(reversed(CONTENT))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Repository:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    linked: dict[str, str] = field(default_factory=dict)  # headers of the first answer, which then redirects
    redirect_to: str | None = None
    status: int = 200
    breaks_after: int | None = None  # bytes
    announces: bool = True  # the length of the content
    ignores_ranges: bool = False
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, Range
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the repository at /model.pth, by way of /storage where it redirects."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        repository = self.server.repository
        asked_range = self.headers.get("Range")
        repository.asked.append((self.command, self.path, asked_range))
        self.close_connection = True
        if repository.status != 200:
            self.send_response(repository.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if repository.redirect_to and self.path == "/model.pth":
            self.send_response(302)
            self.send_header("Location", repository.redirect_to)
            for name, value in repository.linked.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(repository, asked_range, with_body)

    def _send(self, repository: Repository, asked_range: str | None, with_body: bool) -> None:
        content, first = repository.content, 0
        unchanged = self.headers.get("If-Range") in (None, repository.etag)
        if asked_range and unchanged and not repository.ignores_ranges:
            first = int(asked_range.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        body = content[first:]
        if repository.announces:
            self.send_header("Content-Length", str(len(body)))
        if repository.etag:
            self.send_header("ETag", repository.etag)
        self.end_headers()
        if with_body:
            self.wfile.write(body[: repository.breaks_after])

    def log_message(self, *args: object) -> None:
        """Stay silent."""


class Server(http.server.ThreadingHTTPServer):
    """A server with its repository."""

    daemon_threads = True
    repository: Repository

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""


@pytest.fixture
def repository() -> Iterator[Repository]:
    server = Server(("127.0.0.1", 0), Handler)
    server.repository = Repository(url=f"http://127.0.0.1:{server.server_port}/model.pth")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.repository
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def model_at(url: str, content: bytes = CONTENT, sha256: str | None = "") -> KnownModel:
    """A public model; pinned by its SHA-256 unless that is None."""
    pinned = digest(content) if sha256 == "" else sha256
    return KnownModel("tiny", "A model", "a test", url, len(content), "Apache-2.0", "Nobody", pinned)


def test_a_whole_file_arrives_and_tells_its_progress(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    path = download(
        model_at(repository.url), tmp_path / "new", progress=lambda *numbers: told.append(numbers), client=client
    )
    assert path == tmp_path / "new" / "tiny.pth"
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["tiny.pth"]
    assert told == sorted(told)
    assert (told[0], told[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))


def test_a_file_that_is_there_is_not_fetched_again(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "tiny.pth").write_bytes(CONTENT)
    assert download(model_at(repository.url), tmp_path, client=client).read_bytes() == CONTENT
    assert repository.asked == []


def test_a_broken_transfer_goes_on_where_it_stopped(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    repository.breaks_after = 300_000
    with pytest.raises(DownloadError, match=r"broke off at 0\.3 MB of 1\.0 MB .*goes on from there"):
        download(model_at(repository.url), tmp_path, client=client)
    assert not (tmp_path / "tiny.pth").exists()

    repository.breaks_after = None
    path = download(model_at(repository.url), tmp_path, client=client)
    assert path.read_bytes() == CONTENT
    assert repository.asked[-1] == ("GET", "/model.pth", "bytes=300000-")
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.pth"]


def test_a_transfer_that_ends_early_unannounced_goes_on_too(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    repository.announces, repository.breaks_after = False, 300_000
    with pytest.raises(DownloadError, match="the server closed the connection"):
        download(model_at(repository.url), tmp_path, client=client)
    repository.breaks_after = None
    assert download(model_at(repository.url), tmp_path, client=client).read_bytes() == CONTENT


def test_a_cancelled_download_goes_on_where_it_stopped(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    received: list[int] = []
    with pytest.raises(Cancelled, match="goes on from there"):
        download(
            model_at(repository.url),
            tmp_path,
            progress=lambda there, _: received.append(there),
            cancelled=lambda: received[-1] > 400_000,
            client=client,
        )
    there = (tmp_path / "tiny.pth.part").stat().st_size
    assert 400_000 < there < len(CONTENT)
    assert download(model_at(repository.url), tmp_path, client=client).read_bytes() == CONTENT
    assert repository.asked[-1][2] == f"bytes={there}-"


def test_a_file_that_has_all_arrived_is_only_checked(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "tiny.pth.part").write_bytes(CONTENT)
    (tmp_path / "tiny.pth.part.json").write_text(json.dumps({"sha256": digest(CONTENT), "tag": '"one"'}))
    assert download(model_at(repository.url), tmp_path, client=client).read_bytes() == CONTENT
    assert [method for method, *_ in repository.asked] == ["HEAD"]


def test_a_server_without_ranges_sends_the_whole_anew(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    repository.breaks_after, repository.ignores_ranges = 300_000, True
    with pytest.raises(DownloadError):
        download(model_at(repository.url), tmp_path, client=client)
    repository.breaks_after = None
    assert download(model_at(repository.url), tmp_path, client=client).read_bytes() == CONTENT


@pytest.mark.parametrize("states_digest", [True, False])
def test_a_file_that_has_changed_since_starts_anew(
    repository: Repository, client: httpx.Client, tmp_path: Path, states_digest: bool
) -> None:
    """Told by the SHA-256 that the repository states, or by the tag of a file that is otherwise the same."""
    repository.content, repository.etag = OTHER, f'"{digest(OTHER)}"'
    repository.breaks_after = 300_000
    with pytest.raises(DownloadError):
        download(model_at(repository.url, sha256=None), tmp_path, client=client)
    if not states_digest:
        note = tmp_path / "tiny.pth.part.json"
        note.write_text(json.dumps({"sha256": digest(CONTENT), "tag": '"one"'}))

    repository.content, repository.breaks_after = CONTENT, None
    repository.etag = f'"{digest(CONTENT)}"' if states_digest else '"two"'
    model = model_at(repository.url, sha256=None if states_digest else "")
    assert download(model, tmp_path, client=client).read_bytes() == CONTENT
    assert repository.asked[-1][2] == (None if states_digest else "bytes=300000-")


@pytest.mark.parametrize("note", ["", "[]", '{"sha256": 3}', '"text"'])
def test_a_damaged_note_of_an_earlier_download_starts_anew(
    repository: Repository, client: httpx.Client, tmp_path: Path, note: str
) -> None:
    (tmp_path / "tiny.pth.part").write_bytes(OTHER[:1000])
    (tmp_path / "tiny.pth.part.json").write_text(note)
    assert download(model_at(repository.url), tmp_path, client=client).read_bytes() == CONTENT
    assert repository.asked[-1][2] is None


def test_another_content_is_thrown_away(repository: Repository, client: httpx.Client, tmp_path: Path) -> None:
    repository.content = OTHER
    with pytest.raises(DownloadError, match="its SHA-256 differs"):
        download(model_at(repository.url), tmp_path, client=client)
    assert not list(tmp_path.iterdir())


def test_a_wrong_beginning_is_thrown_away(repository: Repository, client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "tiny.pth.part").write_bytes(OTHER[:1000])
    (tmp_path / "tiny.pth.part.json").write_text(json.dumps({"sha256": digest(CONTENT), "tag": '"one"'}))
    with pytest.raises(DownloadError, match="its SHA-256 differs"):
        download(model_at(repository.url), tmp_path, client=client)
    assert not list(tmp_path.iterdir())


def test_a_server_that_never_stops_sending_is_left(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    model = model_at(repository.url)
    repository.content, repository.announces = CONTENT * 20, False
    with pytest.raises(DownloadError, match=r"more than the 1\.0 MB"):
        download(model, tmp_path, client=client)
    assert not list(tmp_path.iterdir())


def test_a_repository_with_a_file_of_another_size_is_refused_at_once(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    repository.content = CONTENT + b"more"
    with pytest.raises(DownloadError, match="has another file"):
        download(model_at(repository.url), tmp_path, client=client)
    assert [method for method, *_ in repository.asked] == ["HEAD"]


def test_a_repository_that_states_another_digest_is_refused_at_once(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    repository.etag = f'"{digest(OTHER)}"'
    with pytest.raises(DownloadError, match="has another file"):
        download(model_at(repository.url), tmp_path, client=client)


def test_without_any_digest_nothing_is_downloaded(repository: Repository, client: httpx.Client, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="states no SHA-256"):
        download(model_at(repository.url, sha256=None), tmp_path, client=client)


def test_the_linked_file_s_digest_and_size_are_taken_from_the_repository(
    repository: Repository, client: httpx.Client, tmp_path: Path
) -> None:
    """As Hugging Face does it: the repository redirects to a storage host, whose tag means nothing."""
    repository.redirect_to = "/storage"
    repository.linked = {"X-Linked-ETag": f'"{digest(CONTENT)}"', "X-Linked-Size": str(len(CONTENT))}
    assert download(model_at(repository.url, sha256=None), tmp_path, client=client).read_bytes() == CONTENT
    assert [(method, path) for method, path, _ in repository.asked] == [
        ("HEAD", "/model.pth"),
        ("GET", "/model.pth"),
        ("GET", "/storage"),
    ]


@pytest.mark.parametrize("target", ["http://models.example/a.pth", "ftp://models.example/a.pth", "file:///etc/passwd"])
def test_a_redirect_away_from_encryption_is_not_followed(
    repository: Repository, client: httpx.Client, tmp_path: Path, target: str
) -> None:
    repository.redirect_to = target
    with pytest.raises(DownloadError, match="without encryption"):
        download(model_at(repository.url), tmp_path, client=client)


def test_a_remote_repository_cannot_send_to_this_computer(repository: Repository, tmp_path: Path) -> None:
    answer = httpx.Response(302, headers={"location": repository.url})
    with (
        httpx.Client(transport=httpx.MockTransport(lambda _: answer)) as client,
        pytest.raises(DownloadError, match="without encryption"),
    ):
        download(model_at("https://models.example/model.pth"), tmp_path, client=client)
    assert repository.asked == []


def test_redirects_in_a_circle_come_to_an_end(repository: Repository, client: httpx.Client, tmp_path: Path) -> None:
    repository.redirect_to = "/model.pth"
    with pytest.raises(DownloadError, match="redirects more than"):
        download(model_at(repository.url), tmp_path, client=client)


@pytest.mark.parametrize(
    ("status", "words"), [(401, "to everybody"), (404, "no longer has the file"), (503, "busy"), (418, "understand")]
)
def test_a_refusal_is_told_in_words(
    repository: Repository, client: httpx.Client, tmp_path: Path, status: int, words: str
) -> None:
    repository.status = status
    with pytest.raises(DownloadError, match=words):
        download(model_at(repository.url), tmp_path, client=client)


def test_without_a_network_the_offline_way_is_told(client: httpx.Client, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/model.pth"
        with pytest.raises(DownloadError, match=r"could not be reached .*msam-segment import model\.pth"):
            download(model_at(url), tmp_path, client=client)


def test_a_silent_server_is_not_waited_for_endlessly(tmp_path: Path) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        assert request.extensions["timeout"]["read"] <= 60
        raise httpx.ReadTimeout("silence", request=request)

    with (
        httpx.Client(transport=httpx.MockTransport(silent)) as client,
        pytest.raises(DownloadError, match="no answer came in time"),
    ):
        download(model_at("https://models.example/model.pth"), tmp_path, client=client)


def test_a_full_disk_is_noticed_before(
    repository: Repository, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(DownloadError, match=r"needs 1\.0 MB more"):
        download(model_at(repository.url), tmp_path, client=client)
    assert [method for method, *_ in repository.asked] == ["HEAD"]


def test_a_folder_that_cannot_be_made_is_told(repository: Repository, client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot be stored"):
        download(model_at(repository.url), tmp_path / "file" / "models", client=client)


def test_without_httpx_the_ways_out_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(DownloadError, match="pip install httpx"):
        download(model_at("https://models.example/model.pth"), tmp_path)
