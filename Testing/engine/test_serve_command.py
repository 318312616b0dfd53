"""`msam-segment serve`, and `segment --engine` that uses it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from little_scan import CENTRE_IJK, OUTSIDE_IJK, ball, write_scan, written
from service_running import TOKEN, running
from stand_in import StandIn
from typer.testing import CliRunner

import msam
from msam.access import api_key
from msam.cli.app import app
from msam.errors import MsamError
from msam.service.host import Listening, check
from msam.service.sockets import host_sockets


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(TOKEN + "\n")
    return file


def segment(*arguments: object) -> object:
    return CliRunner().invoke(app, ["segment", *map(str, arguments)])


def test_an_engine_elsewhere_gives_the_same_mask_as_this_computer(tmp_path, key, monkeypatch):
    monkeypatch.setattr(msam, "load_model", lambda *_: StandIn(), raising=False)
    scan = write_scan(tmp_path / "scan.nrrd")
    mask = tmp_path / "prompt.nrrd"
    msam.Volume.read(scan).write_mask(ball(), mask)
    with running() as (endpoint, _):
        for number, more in enumerate(([], ["--refine", 2], ["--mask-prompt", mask])):
            here, there = tmp_path / f"here{number}.nrrd", tmp_path / f"there{number}.nrrd"
            asked = [scan, "-p", written(CENTRE_IJK), "-n", written(OUTSIDE_IJK), *more, "--json"]
            assert segment(*asked, "-o", here).exit_code == 0
            result = segment(*asked, "-o", there, "--engine", endpoint.url, "--engine-key", key)
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout)["model"] == "stand-in"
            masks = [sitk.GetArrayFromImage(sitk.ReadImage(str(file))) for file in (here, there)]
            assert masks[0].any()
            assert np.array_equal(*masks)


def test_an_engine_that_refuses_ends_the_command_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("MSAM_API_KEY", "another-key-than-the-engine-has")
    scan = write_scan(tmp_path / "scan.nrrd")
    with running() as (endpoint, _):
        asked = [scan, "-p", written(CENTRE_IJK), "-o", tmp_path / "mask.nrrd", "--engine", endpoint.url]
        result = segment(*asked)
    assert result.exit_code == 2
    assert "--engine-key" in result.stderr and endpoint.url in result.stderr
    assert not (tmp_path / "mask.nrrd").exists()


@pytest.mark.parametrize("url", ["http://gpu.example", "ftp://localhost", "localhost:8421", "", "http://"])
def test_an_address_that_is_unusable_or_in_the_clear_is_refused(tmp_path, url):
    scan = write_scan(tmp_path / "scan.nrrd")
    result = segment(scan, "-p", written(CENTRE_IJK), "-o", tmp_path / "mask.nrrd", "--engine", url or " ")
    assert result.exit_code == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_computer_needs_no_key(host):
    check(Listening(host, 1), None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "gpu.example"])
def test_beyond_this_computer_a_key_and_tls_are_needed(host, key):
    with pytest.raises(MsamError, match="API key"):
        check(Listening(host, 1), None)
    with pytest.raises(MsamError, match="--without-encryption"):
        check(Listening(host, 1), TOKEN)
    check(Listening(host, 1, unencrypted=True), TOKEN)
    check(Listening(host, 1, certificate=key, private_key=key), TOKEN)
    with pytest.raises(MsamError, match="both"):
        check(Listening(host, 1, certificate=key), TOKEN)


def test_serving_to_others_without_a_key_ends_in_words(monkeypatch):
    monkeypatch.delenv("MSAM_API_KEY", raising=False)
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 2
    assert "API key" in result.stderr


@pytest.mark.parametrize("content", ["", "short", "with a space in the middle of it", "schlüssel" * 4])
def test_a_key_that_is_none_is_refused(tmp_path, content):
    file = tmp_path / "key"
    file.write_text(content, "utf-8")
    with pytest.raises(MsamError):
        api_key(file)


def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("MSAM_API_KEY", TOKEN)
    assert api_key(None) == TOKEN


def test_a_port_that_is_taken_and_a_name_that_is_none_end_in_words(monkeypatch):
    monkeypatch.setenv("MSAM_API_KEY", TOKEN)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(app, ["serve", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 2
    assert "in use" in result.stderr
    elsewhere = ["serve", "--host", "nowhere.invalid", "--without-encryption", "--port", "1"]
    result = CliRunner().invoke(app, elsewhere)
    assert result.exit_code == 2
    assert "nowhere.invalid" in result.stderr


def test_every_address_of_a_name_is_listened_at():
    sockets = host_sockets("localhost", 0)
    try:
        assert {opened.getsockname()[0] for opened in sockets} <= {"127.0.0.1", "::1"}
        assert sockets
    finally:
        for opened in sockets:
            opened.close()


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_certificate_that_is_none_is_refused_before_anything_listens(tmp_path, content):
    file = tmp_path / "file.pem"
    file.write_text(content)
    result = CliRunner().invoke(app, ["serve", "--certificate", str(file), "--private-key", str(file)])
    assert result.exit_code == 2
    assert "PEM" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--model", "no-such-model"), ("--device", "cuda:99")])
def test_a_host_that_cannot_work_ends_at_once_and_not_with_the_first_click(option, value):
    command = [sys.executable, "-m", "msam", "serve", "--port", str(free_port()), option, value]
    environment = {**os.environ, "PYTHONPATH": str(Path(msam.__file__).parents[1])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 2
    assert value in ended.stderr.splitlines()[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("option", ["--volume-memory", "--idle-minutes"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_limit_that_is_no_finite_number_is_refused_in_words(option, value):
    result = CliRunner().invoke(app, ["serve", option, value])
    assert result.exit_code == 2
    assert "Invalid value" in result.output
