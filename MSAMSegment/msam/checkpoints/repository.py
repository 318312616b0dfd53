"""Asking a repository for a file: redirects, statuses and the words for what can go wrong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msam.checkpoints.known import KnownModel
from msam.checkpoints.wording import megabytes
from msam.errors import DownloadError

if TYPE_CHECKING:
    import httpx

_MOST_REDIRECTS = 5
_SECONDS_TO_CONNECT = 15.0
_SECONDS_OF_SILENCE = 60.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Hugging Face answers for a large file with a redirect to a storage host, and states the file's own data beside it.
_LINKED_SIZE, _LINKED_TAG = "x-linked-size", "x-linked-etag"


@dataclass(frozen=True)
class Stated:
    """What a file has to be: pinned in the program, or stated by the repository."""

    size: int
    sha256: str


@contextmanager
def client_or_new(client: httpx.Client | None) -> Iterator[httpx.Client]:
    """The caller's client, or a new one that is closed at the end.

    Raises:
        DownloadError: httpx is not installed.
    """
    try:
        import httpx
    except ImportError:
        raise DownloadError(
            "Downloading needs the package httpx: pip install httpx. Or fetch the file with a browser and take it in "
            "with: msam-segment import FILE"
        ) from None
    if client is not None:
        yield client
        return
    with httpx.Client(headers={"User-Agent": "msam-segment"}) as new:
        yield new


def ask(client: httpx.Client, model: KnownModel) -> Stated:
    """What the file has to be, after comparing what is pinned with what the repository states.

    Raises:
        DownloadError: the repository cannot be asked, states nothing to check the file by, or has another file.
    """
    with request(client, "HEAD", model.url, {}) as response:
        size = response.headers.get(_LINKED_SIZE) or response.headers.get("content-length")
        tag = response.headers.get(_LINKED_TAG) or response.headers.get("etag") or ""
    digest = tag.removeprefix("W/").strip('"').lower()
    stated = digest if _SHA256.fullmatch(digest) else None
    sha256 = model.sha256 or stated
    if sha256 is None:
        raise DownloadError(
            f"The repository states no SHA-256 for '{model.name}', so what arrives could not be checked: "
            "nothing was downloaded."
        )
    if (stated or sha256) != sha256 or (size or str(model.size)) != str(model.size):
        raise DownloadError(
            f"The repository has another file for '{model.name}' than the one this version knows "
            f"({megabytes(model.size)}): nothing was downloaded. Update this program, or fetch the file yourself and "
            "take it in with: msam-segment import FILE"
        )
    return Stated(model.size, sha256)


@contextmanager
def request(client: httpx.Client, method: str, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
    """The answer to a request, its redirects followed to secure addresses only; its body is still to be read.

    A HEAD ends at the first answer that states the data of a linked file: the storage host behind it may refuse HEAD.

    Raises:
        DownloadError: an unsafe redirect, or a status that means failure. 206, 416 and the like are the caller's.
    """
    import httpx

    origin = current = httpx.URL(url)
    try:
        for _ in range(_MOST_REDIRECTS + 1):
            _check_address(current, origin)
            with client.stream(
                method,
                current,
                headers={"Accept-Encoding": "identity", **headers},
                follow_redirects=False,
                timeout=httpx.Timeout(_SECONDS_OF_SILENCE, connect=_SECONDS_TO_CONNECT),
            ) as response:
                answered = method == "HEAD" and _LINKED_TAG in response.headers and current.host == origin.host
                if response.has_redirect_location and not answered:
                    current = current.join(response.headers["location"])
                    continue
                if not answered:
                    _check_status(response)
                yield response
                return
    except httpx.InvalidURL:
        raise DownloadError(f"{origin.host} sends to an address that is none: try again later.") from None
    raise DownloadError(f"{origin.host} redirects more than {_MOST_REDIRECTS} times: try again later.")


def in_words(error: httpx.HTTPError) -> str:
    """Why a request failed, for people."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return "no answer came in time"
    if isinstance(error, httpx.ProxyError):
        return "the proxy refused the connection"
    if isinstance(error, httpx.ConnectError):
        return "there is no connection to it"
    return "the connection was lost"


def _check_address(url: httpx.URL, origin: httpx.URL) -> None:
    """Refuse anything but https; plain http only where it begins and stays on this computer."""
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host) and _is_loopback(origin.host)):
        return
    raise DownloadError(
        f"{origin.host} sends to an address without encryption ({url.scheme}://{url.host}), which was not followed: "
        "what came from there could not be trusted. Try again later, or from another network."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_status(response: httpx.Response) -> None:
    status, host = response.status_code, response.url.host
    if status in (200, 206, 416):
        return
    if status in (401, 403, 407):
        complaint = "does not give the file out to everybody, or a proxy stands in between"
    elif status in (404, 410):
        complaint = "no longer has the file; update this program"
    elif status == 429 or status >= 500:
        complaint = "is busy or out of order; try again later"
    else:
        complaint = "gave an answer that this program does not understand"
    raise DownloadError(
        f"{host} {complaint} (status {status}). A file fetched in another way can be taken in with: "
        "msam-segment import FILE"
    )
