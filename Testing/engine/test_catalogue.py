"""Models are found by name or path, listed, taken in and removed."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from checkpoint_files import TINY_MSAM, TINY_SAM_MED3D, as_msam_training, random_weights, sam_med3d_file, training_file

from msam.checkpoints import catalogue, known, library
from msam.checkpoints.catalogue import is_model_name, list_models, models_folder, resolve
from msam.checkpoints.known import KNOWN_MODELS, known_model
from msam.checkpoints.library import import_file, remove
from msam.checkpoints.reading import read_checkpoint
from msam.checkpoints.writing import write_checkpoint
from msam.errors import CheckpointError

DESCRIPTION = {"licence": "Apache-2.0", "description": "random numbers"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models; it does not exist yet."""
    folder = tmp_path / "data" / "models"
    monkeypatch.setenv("MSAM_MODELS", str(folder))
    return folder


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that comes with the one model `tiny`."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    write_checkpoint(folder / "tiny.safetensors", random_weights(TINY_MSAM), TINY_MSAM, DESCRIPTION)
    monkeypatch.setattr(catalogue, "bundled_folder", lambda: folder)
    return folder


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return random_weights(TINY_SAM_MED3D)


def test_the_bundled_folder_lies_beside_the_package() -> None:
    assert catalogue.bundled_folder() == Path(catalogue.__file__).parents[2] / "Resources" / "Models"


@pytest.mark.parametrize("name", ["tiny", "TINY"])
def test_a_bundled_model_is_found_by_name(bundled: Path, installed: Path, name: str) -> None:
    assert resolve(name) == bundled / "tiny.safetensors"


def test_a_folder_that_may_not_be_entered_hides_no_bundled_model(
    bundled: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Path.glob

    def refused(folder: Path, pattern: str) -> Iterator[Path]:
        if folder == installed:
            raise PermissionError
        return found(folder, pattern)

    monkeypatch.setattr(Path, "glob", refused)
    assert [entry.name for entry in list_models() if entry.origin != "known"] == ["tiny"]


def test_an_installed_model_is_found_by_name(
    bundled: Path, installed: Path, tmp_path: Path, weights: dict[str, torch.Tensor]
) -> None:
    import_file(sam_med3d_file(tmp_path / "mine.pth", weights))
    assert resolve("mine") == installed / "mine.safetensors"


def test_a_link_to_a_file_that_is_gone_and_a_folder_are_no_models(bundled: Path, installed: Path) -> None:
    (installed / "folder.pt").mkdir(parents=True)
    (installed / "gone.safetensors").symlink_to(installed / "nowhere.safetensors")
    assert [entry.name for entry in list_models() if entry.origin != "known"] == ["tiny"]
    with pytest.raises(CheckpointError, match="no model called 'gone'"):
        resolve("gone")


def test_a_path_is_taken_as_it_is(bundled: Path, installed: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(b"")
    assert resolve(path) == resolve(str(path)) == path


def test_a_bundled_name_wins_over_a_file_in_the_folder(
    bundled: Path, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert resolve("tiny") == bundled / "tiny.safetensors"
    assert resolve("./tiny") == Path("tiny")


def test_an_unknown_name_is_answered_with_the_known_ones(bundled: Path, installed: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model called 'compcat'.*: tiny\..*download NAME.*sam-med3d-turbo"):
        resolve("compcat")


@pytest.mark.parametrize("source", ["folder/none.pth", "none.pth", Path("compcat")])
def test_a_missing_file_is_answered_as_a_file(bundled: Path, installed: Path, source: str | Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint at"):
        resolve(source)


@pytest.mark.parametrize("name", ["sam-med3d-turbo", "SAM-Med3D-turbo"])
def test_a_public_model_that_is_not_installed_tells_how_to_fetch_it(bundled: Path, installed: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="msam-segment download sam-med3d-turbo"):
        resolve(name)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "-rf", "a b", "a.pth", "A.SafeTensors", "x" * 65])
def test_names_that_could_be_paths_or_options_are_none(name: str) -> None:
    assert not is_model_name(name)


def test_public_models_are_described_fully() -> None:
    for model in KNOWN_MODELS:
        assert model.url.startswith("https://")
        assert model.name == model.name.casefold() and is_model_name(model.name)
        assert model.installed_name == f"{model.name}.pth"
        assert model.size > 0 and model.licence and model.attribution
        assert model.sha256 is None or len(bytes.fromhex(model.sha256)) == 32


def test_the_list_tells_where_each_model_is(
    bundled: Path, installed: Path, tmp_path: Path, weights: dict[str, torch.Tensor]
) -> None:
    import_file(sam_med3d_file(tmp_path / "mine.pth", weights))
    found = {entry.name: entry for entry in list_models()}
    assert {name: entry.origin for name, entry in found.items()} == {
        "tiny": "bundled",
        "mine": "installed",
        "sam-med3d-turbo": "known",
    }
    assert (found["tiny"].licence, found["tiny"].description) == ("Apache-2.0", "random numbers")
    assert found["mine"].size == (installed / "mine.safetensors").stat().st_size
    assert found["sam-med3d-turbo"].path is None


def test_a_downloaded_model_is_no_longer_only_known(bundled: Path, installed: Path) -> None:
    installed.mkdir(parents=True)
    (installed / "sam-med3d-turbo.pth").write_bytes(b"")
    entries = [entry for entry in list_models() if entry.name == "sam-med3d-turbo"]
    assert [(entry.origin, entry.licence) for entry in entries] == [("installed", "Apache-2.0")]


def test_a_damaged_model_does_not_hide_the_others(bundled: Path, installed: Path) -> None:
    (bundled / "broken.safetensors").write_bytes(b"\x05")
    found = {entry.name: entry.description for entry in list_models()}
    assert found["broken"].startswith("Cannot be used")
    assert found["tiny"] == "random numbers"


def test_listing_waits_for_neither_torch_nor_httpx() -> None:
    program = (
        "import sys; from msam.checkpoints.catalogue import list_models; list_models();"
        "sys.exit(bool({'torch', 'httpx'} & set(sys.modules)))"
    )
    folder = str(Path(catalogue.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": folder, "HOME": folder}, check=False)
    assert done.returncode == 0


def test_an_imported_training_file_becomes_safetensors(bundled: Path, installed: Path, tmp_path: Path) -> None:
    weights = random_weights(TINY_MSAM)
    path = import_file(training_file(tmp_path / "sam model (1).pth", as_msam_training(weights)))
    assert path == installed / "sam-model-1.safetensors"
    assert read_checkpoint(path).config == TINY_MSAM


def test_imported_safetensors_stay_as_they_are(bundled: Path, installed: Path) -> None:
    path = import_file(bundled / "tiny.safetensors", "copy")
    assert path.read_bytes() == (bundled / "tiny.safetensors").read_bytes()


def test_the_public_model_s_own_file_takes_its_name_and_licence(
    bundled: Path,
    installed: Path,
    tmp_path: Path,
    weights: dict[str, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = sam_med3d_file(tmp_path / "download(2).pth", weights)
    content = file.read_bytes()
    turbo = dataclasses.replace(KNOWN_MODELS[0], size=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(library, "KNOWN_MODELS", (turbo,))
    path = import_file(file)
    assert path.name == "sam-med3d-turbo.safetensors"
    assert read_checkpoint(path).metadata["licence"] == "Apache-2.0"


def test_a_damaged_file_is_not_imported(bundled: Path, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(CheckpointError, match="damaged"):
        import_file(tmp_path / "a.pth")
    assert not installed.exists()


@pytest.mark.parametrize("name", ["tiny", "Tiny", "mine", "MINE"])
def test_a_taken_name_is_refused(
    bundled: Path, installed: Path, tmp_path: Path, weights: dict[str, torch.Tensor], name: str
) -> None:
    file = sam_med3d_file(tmp_path / "mine.pth", weights)
    import_file(file)
    with pytest.raises(CheckpointError, match="choose another --name"):
        import_file(file, name)


@pytest.mark.parametrize("name", ["../outside", "a/b", "a.pth"])
def test_an_impossible_name_is_refused(
    bundled: Path, installed: Path, tmp_path: Path, weights: dict[str, torch.Tensor], name: str
) -> None:
    with pytest.raises(CheckpointError, match="cannot be a model's name"):
        import_file(sam_med3d_file(tmp_path / "a.pth", weights), name)


def test_a_removed_model_is_gone_with_all_that_a_download_left(
    bundled: Path, installed: Path, tmp_path: Path, weights: dict[str, torch.Tensor]
) -> None:
    import_file(sam_med3d_file(tmp_path / "mine.pth", weights))
    import_file(sam_med3d_file(tmp_path / "mine2.pth", weights))
    (installed / "mine.pth.part").write_bytes(b"half of it")
    (installed / "mine.pth.part.json").write_text("{}")
    remove("Mine")
    assert [path.name for path in installed.iterdir()] == ["mine2.safetensors"]


def test_a_bundled_model_cannot_be_removed(bundled: Path, installed: Path) -> None:
    with pytest.raises(CheckpointError, match="comes with the program"):
        remove("tiny")
    assert (bundled / "tiny.safetensors").exists()


@pytest.mark.parametrize("name", ["nothing", "../bundled/tiny", "*"])
def test_a_model_that_is_not_there_cannot_be_removed(bundled: Path, installed: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="There is no model called"):
        remove(name)
    assert (bundled / "tiny.safetensors").exists()


def test_the_user_s_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MSAM_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for platform, base in (
        ("linux", tmp_path / "xdg"),
        ("win32", tmp_path / "local"),
        ("darwin", tmp_path / "Library" / "Application Support"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert models_folder() == base / "msam" / "models"


def test_digests_are_those_of_hashlib(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert known.sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_public_models_are_found_in_any_case() -> None:
    assert known_model("SAM-MED3D-Turbo") is KNOWN_MODELS[0]
    assert known_model("sam") is None
