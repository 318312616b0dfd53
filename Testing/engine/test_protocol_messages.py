"""Messages of the protocol: what goes in comes out, and what is damaged is refused in words."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from msam.errors import Cancelled, PromptError, StateError
from msam.protocol import envelope, events, masks, records, steps
from msam.protocol.masks import EMPTY, NO_BOX, Mask
from msam.protocol.messages import UploadStatus
from msam.protocol.names import LARGEST_JSON, LARGEST_STATE, MOST_ITERATIONS, MOST_POINTS, Code
from msam.protocol.problems import Problem, ProtocolError, ServiceError, error_of, problem_of
from msam.protocol.steps import ClickRecord, MaskRecord, ReplyHeader, StepHeader, StepReply, StepRequest

VOLUME = "0123456789abcdef" * 4
SHAPE_IJK = (20, 18, 16)

numbers = st.floats(-1e6, 1e6)
clicks = st.builds(ClickRecord, st.tuples(numbers, numbers, numbers), st.booleans())


@st.composite
def boxed_masks(draw: st.DrawFn) -> Mask:
    """A mask somewhere in a volume of `SHAPE_IJK` voxels."""
    spans = []
    for length in SHAPE_IJK:
        start = draw(st.integers(0, length - 1))
        spans.append((start, draw(st.integers(start + 1, length))))
    i, j, k = spans
    seed = draw(st.integers(0, 1000))
    voxels = np.random.default_rng(seed).random(masks.shape_kji((i, j, k))) < draw(st.floats(0, 1))
    return Mask((i, j, k), voxels)


@st.composite
def requests(draw: st.DrawFn) -> StepRequest:
    """Any request that a client may make."""
    placed = tuple(draw(st.lists(clicks, max_size=5)))
    mask = draw(st.none() | boxed_masks())
    record = None if mask is None else MaskRecord(mask.box, draw(st.integers(0, len(placed))))
    header = StepHeader(
        VOLUME, "run-1", placed, draw(st.integers(0, MOST_ITERATIONS)), draw(st.none() | st.just("m")), record
    )
    return StepRequest(header, draw(st.binary(max_size=50)), b"" if mask is None else masks.pack(mask))


def a_request(**changes: object) -> StepRequest:
    header = {"volume": VOLUME, "run": "run-1", "clicks": (ClickRecord((1.0, 2.0, 3.0)),), **changes}
    return StepRequest(StepHeader(**header), b"state")  # type: ignore[arg-type]


def a_reply(mask: Mask) -> StepReply:
    header = ReplyHeader(mask.box, 0.5, 1, "Done.", "compact", "cpu", {"total": 0.25})
    return StepReply(header, b"state", mask)


def test_the_protocol_needs_neither_torch_nor_an_http_library():
    code = (
        "import sys, msam.protocol.steps, msam.protocol.volumes, msam.protocol.messages, msam.protocol.events;"
        "print(sorted({'torch', 'httpx', 'fastapi', 'uvicorn', 'SimpleITK'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert found.stdout.strip() == "[]"


@given(requests())
def test_a_request_comes_out_as_it_went_in(request_):
    assert steps.decode_request(steps.encode_request(request_)) == request_


@given(boxed_masks())
def test_a_reply_comes_out_as_it_went_in(mask):
    reply = steps.decode_reply(steps.encode_reply(a_reply(mask)), SHAPE_IJK)
    assert reply.header == a_reply(mask).header
    assert reply.state == b"state"
    assert reply.mask.box == mask.box
    assert np.array_equal(reply.mask.voxels, mask.voxels)


@given(requests(), st.data())
def test_a_request_that_is_cut_off_is_refused(request_, data):
    message = steps.encode_request(request_)
    length = data.draw(st.integers(0, len(message) - 1))
    with pytest.raises(ProtocolError):
        steps.decode_request(message[:length])


@given(requests(), st.binary(min_size=1, max_size=20))
def test_a_request_with_something_after_its_end_is_refused(request_, more):
    with pytest.raises(ProtocolError, match="announces"):
        steps.decode_request(steps.encode_request(request_) + more)


@given(boxed_masks(), st.data())
def test_a_damaged_reply_is_read_or_refused_but_never_surprises(mask, data):
    message = bytearray(steps.encode_reply(a_reply(mask)))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        reply = steps.decode_reply(bytes(message), SHAPE_IJK)
    except ProtocolError:
        return
    assert reply.mask.voxels.shape == masks.shape_kji(reply.mask.box)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    with pytest.raises(ProtocolError):
        steps.decode_request(noise)
    with pytest.raises(ProtocolError):
        steps.decode_request(envelope.MAGIC + noise)


def test_a_message_of_another_version_says_so():
    message = bytearray(steps.encode_request(a_request()))
    message[4] = 9
    with pytest.raises(ProtocolError, match="version 9"):
        steps.decode_request(bytes(message))


def test_lengths_beyond_the_message_are_refused():
    header = records.encode(a_request().header)
    lengths = struct.pack("<QQ", 1 << 62, 1 << 62)
    message = envelope.PREFIX.pack(envelope.MAGIC, 1, 2, len(header)) + lengths + header
    with pytest.raises(ProtocolError, match="announces"):
        steps.decode_request(message)


@pytest.mark.parametrize(
    "changes",
    [
        {"volume": "../../etc/passwd"},
        {"volume": VOLUME.upper()},
        {"run": "../run"},
        {"run": ""},
        {"model": "../model"},
        {"model": "a" * 65},
        {"iterations": -1},
        {"iterations": MOST_ITERATIONS + 1},
        {"clicks": (ClickRecord((0.0, 0.0, 0.0)),) * (MOST_POINTS + 1)},
        {"mask": MaskRecord(((0, 2), (0, 2), (0, 2)), 0)},  # without bits
    ],
)
def test_what_no_service_does_is_refused(changes):
    with pytest.raises(ProtocolError):
        steps.decode_request(steps.encode_request(a_request(**changes)))


def test_as_many_clicks_as_are_allowed_fit_into_a_header():
    placed = (ClickRecord((-123456.7890123456,) * 3, False),) * MOST_POINTS
    assert len(steps.decode_request(steps.encode_request(a_request(clicks=placed))).header.clicks) == MOST_POINTS


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "true", '"1"', "null", "[1]"])
def test_a_click_that_is_no_number_is_refused(number):
    header = records.encode(a_request().header).replace(b"1.0", number.encode())
    with pytest.raises(ProtocolError):
        steps.decode_request(envelope.close(header, (b"", b"")))


def test_a_header_nested_without_end_is_refused():
    with pytest.raises(ProtocolError):
        steps.decode_request(envelope.close(b"[" * 50_000, (b"", b"")))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_field_nested_to_any_depth_is_refused(opening):
    """Also where it can just be read and cannot be shown any more, which is a matter of a few levels."""
    for depth in range(1, 1100):
        closing = b"]" if opening == b"[" else b"}"
        nested = opening * depth + b"1" + closing * depth
        with pytest.raises(ProtocolError):
            records.decode(UploadStatus, b'{"missing": [], "complete": ' + nested + b"}")


def test_a_header_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(ProtocolError, match="at most"):
        steps.decode_request(envelope.close(b" " * (LARGEST_JSON + 1), (b"", b"")))


def test_a_state_that_is_too_long_is_refused():
    request = StepRequest(a_request().header, bytes(LARGEST_STATE + 1))
    with pytest.raises(ProtocolError, match="state"):
        steps.decode_request(steps.encode_request(request))


def test_fields_that_a_later_release_added_are_left_aside():
    assert records.decode(UploadStatus, b'{"complete": true, "missing": [], "later": 1}') == UploadStatus(True, ())


# Masks


def ball(size: int) -> Mask:
    k, j, i = np.indices((size,) * 3) - (size - 1) / 2
    return Mask(((0, size),) * 3, k**2 + j**2 + i**2 < (size / 2) ** 2)


def test_a_mask_of_96_voxels_a_side_takes_less_than_10_kb():
    rough = ball(96)
    bumps = np.random.default_rng(0).normal(size=(12,) * 3).repeat(8, 0).repeat(8, 1).repeat(8, 2)
    k, j, i = np.indices((96,) * 3) - 47.5
    rough = Mask(rough.box, np.sqrt(k**2 + j**2 + i**2) + 2 * bumps < 40)
    assert len(masks.pack(ball(96))) < 10_000
    assert len(masks.pack(rough)) < 10_000


def test_a_bomb_is_refused_before_memory_is_taken():
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(1 << 23))
    assert len(bomb) < 512
    with pytest.raises(ProtocolError, match="does not state"):
        masks.unpack(((0, 16), (0, 16), (0, 16)), bomb, (16, 16, 16))


def test_a_frame_that_hides_its_length_is_refused():
    bits = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(512))
    with pytest.raises(ProtocolError, match="does not state"):
        masks.unpack(((0, 16), (0, 16), (0, 16)), bits, (16, 16, 16))


def test_a_frame_with_another_after_it_is_refused():
    frame = zstandard.compress(bytes(512))
    with pytest.raises(ProtocolError):
        masks.unpack(((0, 16), (0, 16), (0, 16)), frame + frame, (16, 16, 16))


@pytest.mark.parametrize("box", [((0, 21), (0, 1), (0, 1)), ((-1, 1), (0, 1), (0, 1)), ((2, 1), (0, 1), (0, 1))])
def test_a_box_that_does_not_lie_in_the_volume_is_refused(box):
    with pytest.raises(ProtocolError, match="box"):
        masks.unpack(box, b"", SHAPE_IJK)


def test_an_empty_mask_travels_as_nothing():
    assert masks.pack(EMPTY) == b""
    assert masks.unpack(NO_BOX, b"", SHAPE_IJK).voxels.size == 0


@given(boxed_masks(), boxed_masks())
def test_the_changed_box_leads_from_one_mask_to_the_next(before, after):
    change = masks.changed(before, after)
    written = before.whole(SHAPE_IJK)
    (i0, i1), (j0, j1), (k0, k1) = change.box
    written[k0:k1, j0:j1, i0:i1] = change.voxels
    assert np.array_equal(written, after.whole(SHAPE_IJK))
    differing = before.whole(SHAPE_IJK) ^ after.whole(SHAPE_IJK)
    assert masks.cropped(differing).box == change.box


@given(boxed_masks())
def test_a_cropped_mask_is_the_mask_again_when_it_is_whole(mask):
    whole = mask.whole(SHAPE_IJK)
    assert np.array_equal(masks.cropped(whole).whole(SHAPE_IJK), whole)


# Problems and events


@pytest.mark.parametrize("error", [PromptError("a"), StateError("b"), Cancelled("c"), ServiceError("d", Code.BUSY)])
def test_an_error_is_of_the_same_class_on_the_other_side(error):
    again = error_of(records.decode(Problem, records.encode(problem_of(error))))
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_every_code_has_a_status():
    assert all(400 <= code.status < 600 for code in Code)


def test_an_unknown_code_is_an_error_of_the_service():
    assert isinstance(error_of(Problem("from-the-future", "words")), ServiceError)


@pytest.mark.parametrize(
    "event", [events.Ready(1234, 1, "0.1", None, True), events.Failed("why"), events.Log("info", "words", {"a": 1})]
)
def test_an_event_is_a_line(event):
    line = events.encode_event(event)
    assert line.count(b"\n") == 1
    assert json.loads(line)["event"]
    assert events.decode_event(line) == event


@given(st.binary(max_size=100))
def test_a_line_that_is_no_event_goes_to_the_log(line):
    assert isinstance(events.decode_event(line), events.Log)


def test_a_port_that_is_none_is_a_failure():
    assert isinstance(
        events.decode_event(
            b'{"event":"ready","port":"x","protocol":1,"version":"","model":null,"shared_memory":true}'
        ),
        events.Failed,
    )


def test_numbers_are_finite_on_their_way_out():
    with pytest.raises(ValueError):
        records.encode(ClickRecord((math.nan, 0.0, 0.0)))
