"""A run of pip itself, which installs from a place on this computer."""

from __future__ import annotations

import functools
import http.server
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from MSAMSegmentLib.asyncio_transport import AsyncioTransport
from MSAMSegmentLib.package_run import PackageRun


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of a place to install from, which has one package."""
    folder = tmp_path / "index" / "msam-stand-in"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "msam_stand_in-1.5-py3-none-any.whl", "w") as wheel:
        wheel.writestr("msam_stand_in.py", "#" * 3_000_000)
        about = "msam_stand_in-1.5.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: msam_stand_in\nVersion: 1.5\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder.parent)
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_what_pip_says_is_understood(tmp_path, index):
    told, ends = [], []
    transport = AsyncioTransport()
    where = ["--index-url", index, "--no-deps", "--no-cache-dir", "--target", str(tmp_path / "target")]
    for wanted in ("msam-stand-in>=1.5", "msam-no-such-package>=1"):
        arguments = ["pip", "install", wanted, *where]
        run = PackageRun(transport, sys.executable, arguments, lambda *numbers: told.append(numbers), ends.append)
        count = len(ends)
        assert transport.runUntil(lambda count=count: len(ends) > count, 120)
    transport.close()
    assert ends[0] == 0 and ends[1] != 0
    assert (tmp_path / "target" / "msam_stand_in.py").is_file()
    assert "No matching distribution found for msam-no-such-package" in run.complaint
    file, here, size = told[-1]
    assert file == "msam_stand_in-1.5-py3-none-any.whl"
    assert here == size > 3_000_000
