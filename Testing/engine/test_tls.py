"""A real host with TLS, started as its users start it, and clients that trust its certificate or do not."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from odd_server import make_certificate
from service_running import TOKEN

import msam
from msam.client import Client
from msam.engine_process import Endpoint
from msam.protocol.problems import ServiceError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a host, and its certificate."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, private_key = make_certificate(folder)
    key, port = folder / "key", free_port()
    key.write_text(TOKEN)
    command = [sys.executable, "-m", "msam", "serve", "--port", str(port), "--device", "cpu", "--key-file", str(key)]
    process = subprocess.Popen(
        [*command, "--certificate", str(certificate), "--private-key", str(private_key)],
        env={**os.environ, "PYTHONPATH": str(Path(msam.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stderr is not None
        try:
            # It says when it can work; a host that cannot has ended then.
            for line in process.stderr:
                if json.loads(line)["message"] == "ready":
                    break
            yield f"https://localhost:{port}", certificate
        finally:
            process.terminate()


def test_a_client_that_trusts_the_certificate_is_answered(host):
    url, certificate = host
    with Client(Endpoint(url, TOKEN, certificates=str(certificate))) as client:
        assert client.health().protocol == 1


def test_a_client_that_does_not_trust_it_sends_nothing_asks_once_and_names_what_to_give(host, monkeypatch):
    monkeypatch.setattr("msam.client.time.sleep", lambda seconds: pytest.fail("it would be the same the next time"))
    with Client(Endpoint(host[0], TOKEN)) as client, pytest.raises(ServiceError) as caught:
        client.health()
    assert host[0] in str(caught.value)
    assert "self-signed certificate" in str(caught.value) and "--engine-certificates" in str(caught.value)


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_file_without_certificates_is_named(tmp_path, content):
    file = tmp_path / "trust.pem"
    file.write_text(content)
    with (
        Client(Endpoint("https://localhost:1", TOKEN, certificates=str(file))) as client,
        pytest.raises(ServiceError, match=r"trust\.pem"),
    ):
        client.health()


def test_plain_http_is_not_answered(host):
    plain = Client(Endpoint(host[0].replace("https", "http"), TOKEN))
    with plain as client, pytest.raises(ServiceError, match=r"[a-z]\. Check .*https or http"):
        client.health()


def test_what_is_said_before_the_key_is_encrypted_as_is_done_today(host):
    context = ssl.create_default_context(cafile=str(host[1]))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    address = "localhost", int(host[0].rsplit(":", 1)[1])
    with socket.create_connection(address, 10) as line, context.wrap_socket(line, server_hostname="localhost") as safe:
        cipher = safe.cipher()
    assert cipher is not None and cipher[0].startswith("ECDHE-") and ("GCM" in cipher[0] or "CHACHA20" in cipher[0])
    context.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM")
    with socket.create_connection(address, 10) as line, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(line, server_hostname="localhost")


def test_a_wrong_key_opens_nothing_here_either(host):
    url, certificate = host
    with (
        Client(Endpoint(url, "another-token-of-enough-characters", certificates=str(certificate))) as client,
        pytest.raises(ServiceError, match=r"another key.*--engine-key"),
    ):
        client.health()
