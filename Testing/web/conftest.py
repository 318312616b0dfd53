"""Fixtures of the page's tests: a real Chromium, and the page served in the test's own event loop."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
os.environ["TRAME_ARGS"] = ""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs the extra 'web'")
pytest.importorskip("trame_slicer", reason="needs the extra 'web'")

import SimpleITK as sitk
from web_scan import little_scan

from MSAMSegmentWeb.ending import end_process

CHROMIUM = "/usr/bin/chromium"
STATUS = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remembers how the tests went."""
    session.config.stash[STATUS] = int(session.exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the process as the program ends it: a page is never taken apart (`MSAMSegmentWeb.ending`)."""
    if STATUS in config.stash:
        config.get_terminal_writer().flush()
        end_process(config.stash[STATUS])


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Debian's Chromium is; skips without it or without Playwright."""
    pytest.importorskip("playwright", reason="needs playwright")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs Debian's chromium")
    return CHROMIUM


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where a test leaves its pictures: the folder that MSAM_TEST_PICTURES names, else one that goes away."""
    folder = Path(os.environ.get("MSAM_TEST_PICTURES", tmp_path / "pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def scan_file(tmp_path: Path) -> Path:
    """The little scan as a NIfTI file."""
    path = tmp_path / "little.nii.gz"
    sitk.WriteImage(little_scan(), str(path))
    return path


@pytest.fixture
def dicom_folder(tmp_path: Path) -> Path:
    """The little scan as a DICOM series, with file names in no order."""
    from dicom_series import write_series

    folder = tmp_path / "series"
    image = little_scan()
    axes = np.array(image.GetDirection()).reshape(3, 3)
    write_series(folder, sitk.GetArrayFromImage(image), axes, image.GetSpacing(), image.GetOrigin())
    return folder


@pytest.fixture
def dicom_zip(dicom_folder: Path, tmp_path: Path) -> Path:
    """The same in a zip file."""
    return Path(shutil.make_archive(str(tmp_path / "packed"), "zip", dicom_folder.parent, dicom_folder.name))
