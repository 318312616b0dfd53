"""Folders that a page leaves behind when it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from MSAMSegmentWeb import folders


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where such folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def ended_process() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_what_ended_processes_of_this_user_left_is_deleted(place: Path) -> None:
    gone, parent = ended_process(), os.getppid()
    kept = [folders.make("upload"), folders.make("download")]
    for name in (f"msam-upload-{parent}-a", f"msam-other-{gone}-b", f"my-msam-upload-{gone}-c", "msam-upload-1b_2"):
        kept.append(place / name)
        kept[-1].mkdir()
    kept.append(place / f"msam-upload-{gone}-link")
    kept[-1].symlink_to(kept[0])
    for kind in ("upload", "download"):
        (place / f"msam-{kind}-{gone}-x").mkdir()
        (place / f"msam-{kind}-{gone}-x" / "scan.nrrd").write_bytes(b"x")
    folders.delete_left_behind()
    assert sorted(place.iterdir()) == sorted(kept)
    folders.delete_own()
    assert sorted(place.iterdir()) == sorted(kept[2:])


def test_what_belongs_to_another_user_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / f"msam-upload-{ended_process()}-x"
    folder.mkdir()
    somebody = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    folders.delete_left_behind()
    assert folder.exists()
