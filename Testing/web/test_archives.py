"""Files that somebody sent, and what they try."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msam.errors import MsamError
from MSAMSegmentWeb.archives import unpack
from MSAMSegmentWeb.uploads import free_path


def packed(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_files_land_next_to_each_other_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    names = {"a/1.dcm": b"1", "b/1.dcm": b"2", "../../evil": b"3", "/etc/evil": b"4", "__MACOSX/a/._1.dcm": b"5"}
    unpack(packed(tmp_path / "x.zip", names), folder, most_files=10, most_bytes=100)
    assert sorted(path.read_bytes() for path in folder.iterdir()) == [b"1", b"2", b"3", b"4"]
    assert {path.name for path in tmp_path.iterdir()} == {"x.zip", "inside"}


@pytest.mark.parametrize(("files", "size"), [(1, 10_000), (10, 999)])
def test_more_than_is_taken_is_refused(tmp_path: Path, files: int, size: int) -> None:
    archive = packed(tmp_path / "x.zip", {"1": b"\0" * 1000, "2": b""})
    with pytest.raises(MsamError, match="more than this page takes"):
        unpack(archive, tmp_path, most_files=files, most_bytes=size)


def test_a_zip_that_lies_about_its_size_is_found_out(tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.zip", {"1": b"\0" * 5_000_000})
    content = archive.read_bytes()
    archive.write_bytes(content.replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(MsamError, match="damaged"):
        unpack(archive, tmp_path, most_files=10, most_bytes=1000)
    assert all(path.stat().st_size <= 6000 for path in tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"no zip", b"PK\x03\x04" + b"\0" * 40])
def test_what_is_no_zip_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "x.zip"
    archive.write_bytes(content)
    with pytest.raises(MsamError, match="damaged"):
        unpack(archive, tmp_path, most_files=10, most_bytes=1000)


@given(st.text(max_size=300))
def test_no_name_leads_out_of_its_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("folder")
    path = free_path(folder, name)
    path.write_bytes(b"")
    assert path.parent == folder and free_path(folder, name) != path
