"""The page as users start it: a process of its own, the real engine, the sample, one click made."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from desk import FLAGS

SOURCES = Path(__file__).parents[2] / "MSAMSegment"
PATIENCE = 180.0


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the page's address."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "msam", "app", "--demo", "--no-browser", "--port", "0"],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    yield process, line.split()[4]
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    finally:
        process.kill()
        process.stdout.close()


def children(process: subprocess.Popen[str]) -> list[int]:
    """The process ids of the children of a process."""
    tasks = Path(f"/proc/{process.pid}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def half_an_upload(address: str, cookie: str) -> socket.socket:
    """A connection over which a scan is being sent that never ends."""
    place = urlsplit(address)
    origin = f"{place.scheme}://{place.netloc}"
    head = (
        f"POST /upload HTTP/1.1\r\nHost: {place.netloc}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="scan.nrrd"\r\n\r\n'
    )
    connection = socket.create_connection((place.hostname, place.port))
    connection.sendall(head.encode() + bytes(3_000_000))
    return connection


def test_one_command_opens_the_sample_with_one_click_made(
    chromium: str, started: tuple[subprocess.Popen[str], str], tmp_path: Path, pictures: Path
) -> None:
    from playwright.sync_api import sync_playwright

    process, address = started
    key = urlsplit(address).fragment.removeprefix("key=")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(address)
        page.wait_for_selector(".measures dd")
        volume = page.locator(".measures dd").first.inner_text()
        page.wait_for_timeout(2500)
        page.screenshot(path=pictures / "page-demo.png")
        # Whoever does not know the key is not let in, and it does not stay in sight.
        assert len(key) > 20 and key not in page.url
        assert browser.new_context().request.get(address).status == 401

        # The engine is killed; the next step starts another and is answered.
        (engine,) = children(process)
        os.kill(engine, signal.SIGKILL)
        page.keyboard.press("r")
        page.wait_for_selector(".btn-cancel")
        page.wait_for_selector(".btn-cancel", state="detached")
        page.wait_for_selector(".dot.ready")
        assert page.locator(".error").count() == 0, page.locator(".error").inner_text()
        assert children(process) not in ([], [engine])
        assert volume
        (cookie,) = page.context.cookies()
        browser.close()
    unfinished = half_an_upload(address, f"{cookie['name']}={cookie['value']}")
    end = time.monotonic() + PATIENCE
    while not any(folder.iterdir() for folder in tmp_path.glob("msam-upload-*")):
        assert time.monotonic() < end
        time.sleep(0.05)
    # The terminal is closed: nobody hears of the end.
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == 0
    unfinished.close()
    assert not list(tmp_path.glob("msam-*"))
