"""Binary messages that are nearly right, to a running service: never a 500, no stall, bounded memory."""

from __future__ import annotations

import json
import struct
import threading
import zlib

import httpx
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_running import CENTRE_IJK, INSIDE, TOKEN, code_of, volume

from msam.client import Client, Known
from msam.protocol import envelope, masks, names, records, steps, volumes
from msam.protocol.masks import Mask
from msam.protocol.names import Code, path
from msam.protocol.steps import ClickRecord, MaskRecord, StepHeader, StepRequest
from msam.service.engine import process_bytes

SECONDS = 60
# What one request may take for a moment, on top of what it is allowed to send.
ROOM = 200 << 20
MANY = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def valid(service):
    """A request with all that a request can have, which the service answers."""
    known = Known.of(volume())
    with Client(service[0]) as client:
        state = client.segment(known, [INSIDE]).state
    mask = Mask(((16, 24), (14, 22), (10, 18)), np.ones((8, 8, 8), np.bool_))
    header = StepHeader(known.identity, "a-run", (ClickRecord(CENTRE_IJK),), 1, None, MaskRecord(mask.box))
    return StepRequest(header, state, masks.pack(mask))


@pytest.fixture(scope="module")
def ask(service):
    """Sends something, and looks at what every answer has to be."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=service[0].url, headers=headers, trust_env=False, timeout=SECONDS) as line:

        def send(content: bytes, method: str = "POST", where: str = names.SEGMENT) -> str:
            answer = line.request(method, where, content=content)
            if answer.status_code == 200:
                return "ok"
            code = code_of(answer)
            assert answer.status_code < 500, answer.text
            return code

        yield send


def damaged(draw, data: bytes) -> bytes:
    """Bytes with some of them changed, cut off, repeated, or with more after them."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    kind = draw(st.sampled_from(["as it is", "cut", "more", "twice"]))
    if kind == "cut":
        return bytes(changed[: draw(st.integers(0, len(changed)))])
    return bytes(changed) + {"more": draw(st.binary(max_size=8)), "twice": bytes(changed)}.get(kind, b"")


def test_the_request_is_answered_as_it_is(valid, ask):
    assert ask(steps.encode_request(valid)) == "ok"


@MANY
@given(data=st.data())
def test_a_damaged_message_is_refused_or_answered(valid, ask, data):
    ask(damaged(data.draw, steps.encode_request(valid)))


@MANY
@given(data=st.data())
def test_a_damaged_state_in_a_sound_message_is_refused_or_answered(valid, ask, data):
    ask(steps.encode_request(StepRequest(valid.header, damaged(data.draw, valid.state), valid.packed_mask)))


@MANY
@given(data=st.data())
def test_a_damaged_mask_in_a_sound_message_is_refused_or_answered(valid, ask, data):
    ask(steps.encode_request(StepRequest(valid.header, valid.state, damaged(data.draw, valid.packed_mask))))


numbers = st.one_of(st.floats(), st.integers(-(10**400), 10**400), st.booleans(), st.none(), st.text(max_size=3))


@MANY
@given(position=st.lists(numbers, max_size=4), iterations=numbers, spans=st.lists(st.lists(numbers, max_size=3)))
def test_numbers_that_cannot_be_are_refused(valid, ask, position, iterations, spans):
    header = json.loads(records.encode(valid.header))
    header["clicks"] = [{"position_ijk": position}]
    header["iterations"] = iterations
    header["mask"] = {"box": spans}
    assert ask(envelope.close(json.dumps(header).encode(), (valid.state, valid.packed_mask))) == Code.MALFORMED


def state_with(valid: StepRequest, body: bytes, **changes: object) -> bytes:
    length = struct.unpack_from("<I", valid.state, 6)[0]
    header = json.loads(valid.state[10 : 10 + length]) | changes
    text = json.dumps(header).encode()
    return valid.state[:6] + struct.pack("<I", len(text)) + text + body


def test_bombs_take_no_memory_and_are_refused(valid, ask):
    zeros = zlib.compress(bytes(1 << 28), 9)
    huge = MaskRecord(((0, 16384), (0, 16384), (0, 16384)))
    whole = MaskRecord(((0, 40), (0, 36), (0, 30)))
    header = valid.header
    stop, most = threading.Event(), [0]

    def watch() -> None:
        while not stop.wait(0.01):
            most[0] = max(most[0], process_bytes() or 0)

    watching = threading.Thread(target=watch)
    before = process_bytes() or 0
    watching.start()
    try:
        bomb = steps.encode_request(StepRequest(header, state_with(valid, zeros, grid=256), b""))
        assert ask(steps.encode_request(StepRequest(header, state_with(valid, zeros, grid=8), valid.packed_mask))) == (
            Code.STATE_UNUSABLE
        )
        assert ask(bomb) == Code.MALFORMED
        for box in (huge, whole):
            for packed in (zeros, zstandard.ZstdCompressor(level=19).compress(bytes(1 << 28))):
                one = StepHeader(header.volume, "a-run", header.clicks, 0, None, box)
                assert ask(steps.encode_request(StepRequest(one, b"", packed))) == Code.MALFORMED
    finally:
        stop.set()
        watching.join()
    assert most[0] - before < ROOM


def test_parts_that_are_damaged_cut_or_bombs_are_refused(ask):
    known = Known.of(volume(77))
    where = path(names.VOLUME, volume=known.identity)
    part = volumes.pack_part(known.description, known.data, 0)
    assert ask(records.encode(known.description), "PUT", where) == "ok"
    bombs = [zlib.compress(bytes(1 << 27), 9), zstandard.ZstdCompressor(level=3).compress(bytes(1 << 27))]
    for content in (b"", part[:-1], part + b"x", part[4:], *bombs):
        assert ask(content, "PUT", where + "/parts/0") == Code.MALFORMED
    assert ask(part, "PUT", where + "/parts/1") == Code.MALFORMED
    assert ask(part, "PUT", where + "/parts/0") == "ok"


ODD = [np.nan, np.inf, -np.inf, 3e38, 65504.0, 0.0]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_voxels_that_are_no_numbers_are_refused_or_segmented(service, value, dtype):
    voxels = np.array(volume().voxels, dtype)
    with np.errstate(over="ignore"):
        voxels[3, 4, 5] = value
    refused_or_segmented(service, voxels, np.eye(4))


@pytest.mark.parametrize("dtype", ["|i1", "|u1", "<u2", "<i4", "<u4", "<i8", "<u8"])
def test_the_largest_numbers_of_a_type_are_refused_or_segmented(service, dtype):
    voxels = np.array(volume().voxels % 100, dtype)
    voxels[3, 4, 5], voxels[4, 4, 5] = np.iinfo(dtype).max, np.iinfo(dtype).min
    refused_or_segmented(service, voxels, np.eye(4))


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e-3, 1e4, 1e9, 1e300])
def test_voxels_of_any_size_are_refused_or_segmented(service, scale):
    refused_or_segmented(service, volume().voxels, np.diag([scale, scale, scale, 1.0]))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 2), (1, 40, 40), (2, 2, 4096)])
def test_volumes_of_any_shape_are_refused_or_segmented(service, shape):
    voxels = np.random.default_rng(0).integers(0, 100, shape, dtype=np.int16)
    refused_or_segmented(service, voxels, np.eye(4), position=(0.0, 0.0, 0.0))


def refused_or_segmented(service, voxels, matrix, position=CENTRE_IJK):
    """Sends a volume as a client would that looks at nothing, and segments it."""
    description, data = volumes.describe(voxels, matrix)
    identity = volumes.identity(description, volumes.digests(description, data))
    request = StepRequest(StepHeader(identity, "a-run", (ClickRecord(position),)))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    where = path(names.VOLUME, volume=identity)
    with httpx.Client(base_url=service[0].url, headers=headers, trust_env=False, timeout=SECONDS) as line:
        answers = [line.put(where, content=records.encode(description))]
        if answers[0].status_code == 200:
            answers.append(line.put(where + "/parts/0", content=volumes.pack_part(description, data, 0)))
            answers.append(line.post(names.SEGMENT, content=steps.encode_request(request)))
    for answer in answers:
        assert answer.status_code < 500, answer.text
        if answer.status_code != 200:
            code_of(answer)
