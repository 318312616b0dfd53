"""Uploads that stop half-way, and what goes on beside an upload."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData, web
from aiohttp.test_utils import TestServer
from trame_server.state import State

from MSAMSegmentWeb import uploads
from MSAMSegmentWeb.options import UploadLimits
from MSAMSegmentWeb.reading import Reading
from MSAMSegmentWeb.uploads import Uploads


def at_the_counter(
    scenario: Callable[[str, ClientSession, Uploads, State, Reading], Coroutine[Any, Any, None]],
) -> None:
    """Runs a scenario at a server that takes uploads and deletes them."""

    async def received(folder: Path, _name: str) -> None:
        shutil.rmtree(folder)

    async def run() -> None:
        state = State()
        reading = Reading(state)
        counter = Uploads(UploadLimits(), reading, received)
        application = web.Application()
        application.router.add_post(uploads.PATH, counter.handle)
        server = TestServer(application)
        await server.start_server()
        async with ClientSession() as browser:
            await scenario(str(server.make_url(uploads.PATH)), browser, counter, state, reading)
        await server.close()

    asyncio.run(run())


def form(file: Path) -> FormData:
    data = FormData()
    data.add_field("file", file.read_bytes(), filename=file.name)
    return data


async def until(is_so: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


HALF = (
    b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 900\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="scan.nrrd"\r\n\r\n0123456789'
)


def test_an_upload_that_stalls_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch, scan_file: Path) -> None:
    monkeypatch.setattr(uploads, "PORTION_SECONDS", 0.2)

    async def scenario(address: str, browser: ClientSession, counter: Uploads, *_: object) -> None:
        port = int(address.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HALF)
        assert b"408" in await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        async with browser.post(address, data=form(scan_file)) as answer:
            assert answer.status == 200

    at_the_counter(scenario)


def test_an_upload_can_be_dropped(scan_file: Path) -> None:
    async def scenario(address: str, browser: ClientSession, counter: Uploads, *_: object) -> None:
        port = int(address.split(":")[2].split("/")[0])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HALF)
        await until(lambda: counter._task is not None)
        counter.drop()
        await until(lambda: counter._task is None)
        async with browser.post(address, data=form(scan_file)) as answer:
            assert answer.status == 200
        writer.close()

    at_the_counter(scenario)


def test_the_page_lives_on_while_a_zip_is_unpacked_and_it_can_be_given_up(
    monkeypatch: pytest.MonkeyPatch, dicom_zip: Path
) -> None:
    monkeypatch.setattr(uploads, "unpack", lambda *_, **__: time.sleep(2))

    async def scenario(address: str, browser: ClientSession, _: Uploads, state: State, reading: Reading) -> None:
        sending = asyncio.create_task(browser.post(address, data=form(dicom_zip)))
        await until(lambda: state.loading == "Unpacking")
        assert reading.drop()
        answer = await sending
        assert answer.status == 200 and state.loading == "" and not reading.drop()

    at_the_counter(scenario)
