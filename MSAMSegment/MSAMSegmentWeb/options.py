"""What the page is started with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from msam.access import SHORTEST_KEY, api_key, is_loopback
from msam.errors import MsamError
from msam.protocol.names import KEY_VARIABLE as ENGINE_KEY_VARIABLE

# Keys come from the environment or a file: everybody on a computer can see the arguments of its programs.
KEY_VARIABLE = "MSAM_PAGE_KEY"
GIB = 1 << 30


def page_key(file: Path | None) -> str | None:
    """The key of the page: from a file, else from the environment; None when there is neither.

    Raises:
        MsamError: the file cannot be read, or the key is too short to be one.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if file is not None or not key:
        return None if file is None else api_key(file)
    if len(key) < SHORTEST_KEY:
        raise MsamError(f"The key in {KEY_VARIABLE} needs at least {SHORTEST_KEY} characters.")
    return key


def engine_key() -> str | None:
    """The key for an engine elsewhere, from the environment; None without."""
    return os.environ.get(ENGINE_KEY_VARIABLE) or None


@dataclass(frozen=True)
class UploadLimits:
    """What a browser may send. A zip file counts with what is in it."""

    total_bytes: int = 4 * GIB
    files: int = 20_000
    voxels: int = 1 << 30


@dataclass(frozen=True)
class Options:
    """How the page is served, and what it shows first.

    Attributes:
        host: the address to listen at.
        port: of TCP; 0 for any free one.
        key: what a browser has to show first; None where only this computer is listened to.
        certificate, private_key: PEM files for TLS; None without.
        unencrypted: whether to listen beyond this computer without TLS, because something in front does it.
        scan: opened at the start.
        demo: whether to open the sample scan and make one click on its lesion.
        model, device: of the engine on this computer.
        engine_url, engine_key: an engine elsewhere, instead.
        engine_certificates: PEM file of the certificates to trust there; None for the system's.
        open_browser: whether to show the page in the user's browser.
        limits: of uploads.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: str | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    unencrypted: bool = False
    scan: Path | None = None
    demo: bool = False
    model: str = "compact"
    device: str = "auto"
    engine_url: str | None = None
    engine_key: str | None = None
    engine_certificates: Path | None = None
    open_browser: bool = True
    limits: UploadLimits = UploadLimits()

    def check(self) -> None:
        """Makes sure that nobody listens in or joins who should not.

        Raises:
            MsamError: it would be so, or a file is missing; the text says what to do.
        """
        for file in (self.certificate, self.private_key, self.engine_certificates):
            if file is not None and not file.is_file():
                raise MsamError(f"There is no file {file}.")
        if (self.certificate is None) != (self.private_key is None):
            raise MsamError("TLS needs both a certificate and its private key; give both, or neither.")
        if self.scan is not None and not self.scan.exists():
            raise MsamError(f"There is no file or folder {self.scan}; check the path.")
        if is_loopback(self.host):
            return
        if self.key is None:
            raise MsamError(
                f"Listening at {self.host} lets other computers in, which needs a key: put one into a file for "
                f"--key-file, or into the variable {KEY_VARIABLE}."
            )
        if self.certificate is None and not self.unencrypted:
            raise MsamError(
                f"Listening at {self.host} without TLS would send scans and the key in the clear. Give --certificate "
                "and --private-key; or, only where something in front of this page does TLS, --without-encryption."
            )
