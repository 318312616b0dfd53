"""The commands that deal with models, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from checkpoint_files import TINY_MSAM, TINY_SAM_MED3D, as_msam_training, random_weights, sam_med3d_file, training_file
from typer.testing import CliRunner

from msam.checkpoints import catalogue
from msam.checkpoints.catalogue import resolve
from msam.checkpoints.known import KNOWN_MODELS, KnownModel
from msam.checkpoints.reading import read_checkpoint
from msam.cli import models
from msam.errors import DownloadError
from msam.exit_codes import ExitCode

APP = typer.Typer()
models.register(APP)
RUN = CliRunner()


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, and a program that comes with none."""
    monkeypatch.setenv("MSAM_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(catalogue, "bundled_folder", lambda: tmp_path / "bundled")
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return sam_med3d_file(tmp_path / "mine.pth", random_weights(TINY_SAM_MED3D))


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was downloaded; each download succeeds with an empty file."""
    done: list[str] = []

    def fetch(model: KnownModel, folder: Path, **_: object) -> Path:
        done.append(model.name)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / model.installed_name
        path.write_bytes(b"")
        return path

    monkeypatch.setattr("msam.checkpoints.download.download", fetch)
    return done


def test_convert_writes_what_can_be_read(tmp_path: Path) -> None:
    source = training_file(tmp_path / "a.pth", as_msam_training(random_weights(TINY_MSAM)))
    target = tmp_path / "b.safetensors"
    result = RUN.invoke(APP, ["convert", str(source), str(target)])
    assert result.exit_code == 0, result.output
    assert "b.safetensors" in result.output
    assert read_checkpoint(target).config == TINY_MSAM


def test_convert_tells_what_is_wrong_and_fails(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"hello")
    result = RUN.invoke(APP, ["convert", str(tmp_path / "a.pth"), str(tmp_path / "b.safetensors")])
    assert result.exit_code == ExitCode.WRONG_USE
    assert "is not a checkpoint" in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_models_lists_what_is_installed_and_what_is_known(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    RUN.invoke(APP, ["import", str(file)])
    result = RUN.invoke(APP, ["models"])
    lines = {line.split("│")[1].strip(): line for line in result.output.splitlines() if line.startswith("│")}
    assert "installed" in lines["mine"]
    assert "can be downloaded" in lines["sam-med3d-turbo"]
    assert "402.2 MB" in lines["sam-med3d-turbo"]
    assert "Apache-2.0" in lines["sam-med3d-turbo"]


def test_models_speaks_to_scripts(file: Path) -> None:
    RUN.invoke(APP, ["import", str(file)])
    entries = json.loads(RUN.invoke(APP, ["models", "--json"]).output)
    assert [(entry["name"], entry["origin"]) for entry in entries] == [
        ("mine", "installed"),
        ("sam-med3d-turbo", "known"),
    ]
    assert Path(entries[0]["path"]).is_file() and entries[1]["path"] is None


def test_download_shows_size_and_licence_and_asks(downloads: list[str]) -> None:
    result = RUN.invoke(APP, ["download", "SAM-Med3D-turbo"], input="n\n")
    assert result.exit_code == 0
    for told in ("402.2 MB", "Apache-2.0", "huggingface.co", "Nothing was downloaded"):
        assert told in result.output
    assert downloads == []


@pytest.mark.parametrize(("options", "typed"), [([], "y\n"), (["--yes"], "")])
def test_download_fetches_once_agreed(downloads: list[str], options: list[str], typed: str) -> None:
    result = RUN.invoke(APP, ["download", "sam-med3d-turbo", *options], input=typed)
    assert result.exit_code == 0, result.output
    assert downloads == ["sam-med3d-turbo"]
    assert resolve("sam-med3d-turbo").name == KNOWN_MODELS[0].installed_name


def test_download_does_not_fetch_what_is_there(downloads: list[str]) -> None:
    RUN.invoke(APP, ["download", "sam-med3d-turbo", "--yes"])
    result = RUN.invoke(APP, ["download", "sam-med3d-turbo"])
    assert "installed already" in result.output
    assert downloads == ["sam-med3d-turbo"]


def test_download_of_an_unknown_model_lists_the_known_ones(downloads: list[str]) -> None:
    result = RUN.invoke(APP, ["download", "turbo"])
    assert result.exit_code == ExitCode.WRONG_USE
    assert "sam-med3d-turbo" in result.stderr


def test_a_failing_download_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise DownloadError("The repository could not be reached.")

    monkeypatch.setattr("msam.checkpoints.download.download", fail)
    result = RUN.invoke(APP, ["download", "sam-med3d-turbo", "--yes"])
    assert result.exit_code == ExitCode.WRONG_USE
    assert "could not be reached" in result.stderr
    assert "Traceback" not in result.output


def test_import_takes_a_file_in_under_its_name_or_another(file: Path) -> None:
    assert "'mine'" in RUN.invoke(APP, ["import", str(file)]).output
    assert "'other'" in RUN.invoke(APP, ["import", str(file), "--name", "other"]).output
    assert read_checkpoint(resolve("other")).config == TINY_SAM_MED3D


def test_remove_asks_before_it_deletes(file: Path, installed: Path) -> None:
    RUN.invoke(APP, ["import", str(file)])
    kept = RUN.invoke(APP, ["remove", "mine"], input="n\n")
    assert "Nothing was deleted" in kept.output
    assert list(installed.iterdir())
    assert RUN.invoke(APP, ["remove", "mine", "--yes"]).exit_code == 0
    assert not list(installed.iterdir())


def test_remove_of_what_is_not_there_fails_without_asking() -> None:
    result = RUN.invoke(APP, ["remove", "nothing"])
    assert result.exit_code == ExitCode.WRONG_USE
    assert "There is no model called 'nothing'" in result.stderr
