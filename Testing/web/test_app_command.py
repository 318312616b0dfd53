"""`msam-segment app`."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from msam.cli import page
from msam.cli.app import app
from msam.errors import MsamError
from MSAMSegmentWeb import options as page_options
from MSAMSegmentWeb.options import Options


@pytest.fixture
def run_with(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What the page would have been started with."""
    started: list[Options] = []
    real = page.import_module

    class Stopped:
        @staticmethod
        def run(options: Options, say: Any) -> None:
            options.check()
            started.append(options)

    monkeypatch.setattr(page, "import_module", lambda name: Stopped if name.endswith(".app") else real(name))
    return started


def test_options_reach_the_page(run_with: list[Options], tmp_path: Path) -> None:
    scan = tmp_path / "scan.nrrd"
    scan.touch()
    result = CliRunner().invoke(app, ["app", str(scan), "--port", "0", "--model", "vit_b", "--no-browser", "--demo"])
    assert result.exit_code == 0, result.output
    assert run_with == [Options(port=0, model="vit_b", scan=scan, open_browser=False, demo=True)]


def test_an_engine_elsewhere_is_trusted_by_certificates_of_ones_own(run_with: list[Options], tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    file.touch()
    arguments = ["--engine", "https://gpu.example.org:8421", "--engine-certificates", str(file)]
    assert CliRunner().invoke(app, ["app", *arguments]).exit_code == 0
    (options,) = run_with
    assert (options.engine_url, options.engine_certificates) == (arguments[1], file)


def test_the_help_says_what_a_proxy_has_to_pass() -> None:
    said = CliRunner().invoke(app, ["app", "--help"]).output
    assert all(word in said for word in ("Host", "Upgrade", "X-Forwarded-Proto"))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "trame_slicer" else real(name, *rest))
    result = CliRunner().invoke(app, ["app"])
    assert result.exit_code == 2
    assert 'pip install "msam-segment[web]"' in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(host="0.0.0.0"), "needs a key"),
        (Options(host="0.0.0.0", key="k" * 16), "without TLS"),
        (Options(certificate=Path(__file__)), "both a certificate"),
        (Options(certificate=Path("nowhere.pem")), "There is no file"),
        (Options(scan=Path("nowhere.nrrd")), "There is no file or folder"),
        (Options(engine_certificates=Path("nowhere.pem")), "There is no file"),
    ],
)
def test_nobody_is_let_in_by_accident(options: Options, words: str) -> None:
    with pytest.raises(MsamError, match=words):
        options.check()


def test_with_key_and_tls_other_computers_are_let_in() -> None:
    file = Path(__file__)
    Options(host="0.0.0.0", key="k" * 16, certificate=file, private_key=file).check()
    Options(host="0.0.0.0", key="k" * 16, unencrypted=True).check()


def test_the_key_comes_from_a_file_or_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(page_options.KEY_VARIABLE, raising=False)
    assert page_options.page_key(None) is None
    monkeypatch.setenv(page_options.KEY_VARIABLE, "from-the-environment")
    assert page_options.page_key(None) == "from-the-environment"
    file = tmp_path / "key"
    file.write_text("from-the-file-of-the-key\n")
    assert page_options.page_key(file) == "from-the-file-of-the-key"
    monkeypatch.setenv(page_options.KEY_VARIABLE, "short")
    with pytest.raises(MsamError, match="16"):
        page_options.page_key(None)
