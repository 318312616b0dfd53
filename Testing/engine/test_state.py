"""The state that goes from one process to another: what comes back, and what is refused."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from session_stand_ins import noise, small_config

from msam.errors import StateError
from msam.region import Region
from msam.session.prompts import Point, digest
from msam.session.state import DIGITS_OF_FINE_LOGITS, MAGIC, PREFIX, VERSION, State, rounded

POINTS = (Point(1, (8, 9, 10)), Point(2, (3.25, 4, 5), False))


def a_state(**changes: object) -> State:
    logits = rounded(np.random.default_rng(0).normal(0, 8, (16, 16, 16)))
    state = State("small", Region(32, (8.0, 9.0, 10.0), None), logits, 2, digest(POINTS), 0.75, 41.5)
    return replace(state, **changes)  # type: ignore[arg-type]


def packed(header: object, logits: bytes, *, magic: bytes = MAGIC, version: int = VERSION) -> bytes:
    text = json.dumps(header).encode()
    return PREFIX.pack(magic, version, len(text)) + text + logits


def header_of(data: bytes) -> dict[str, object]:
    length = PREFIX.unpack_from(data)[2]
    header: dict[str, object] = json.loads(data[PREFIX.size : PREFIX.size + length])
    return header


@given(
    logits=hnp.arrays(np.float32, (4, 4, 4), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    centre=st.tuples(*[st.floats(-1e3, 1e3)] * 3),
    spacing=st.none() | st.floats(0.01, 100),
    reference=st.none() | st.floats(-1e9, 1e9),
    quality=st.floats(0, 1),
    has_lattice=st.booleans(),
)
def test_what_is_packed_comes_back_exactly(
    logits: npt.NDArray[np.float32],
    centre: tuple[float, float, float],
    spacing: float | None,
    reference: float | None,
    quality: float,
    has_lattice: bool,
) -> None:
    region = Region(16, centre, spacing)
    state = a_state(
        region=region,
        logits=rounded(logits),
        reference=reference,
        quality=quality,
        lattice=region if has_lattice else None,
    )

    again = State.from_bytes(state.to_bytes())

    assert np.array_equal(again.logits, state.logits)
    assert again.logits.dtype == np.float16
    assert replace(again, logits=state.logits).__dict__ == state.__dict__


def test_a_typical_state_is_compact() -> None:
    smooth = np.linspace(-8, 8, 32)[:, None, None] + np.linspace(-8, 8, 32)[:, None] + np.linspace(-8, 8, 32)
    assert len(a_state(logits=rounded(smooth)).to_bytes()) < 20_000


@given(cut=st.integers(0, 2000))
def test_a_truncated_state_is_refused(cut: int) -> None:
    data = a_state().to_bytes()
    with pytest.raises(StateError, match="Segment again"):
        State.from_bytes(data[: min(cut, len(data) - 1)])


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_gives_a_sound_state(place: int, bit: int) -> None:
    data = bytearray(a_state().to_bytes())
    data[place % len(data)] ^= 1 << bit
    try:
        state = State.from_bytes(bytes(data))
    except StateError:
        return
    assert np.isfinite(state.logits).all()
    assert np.isfinite(state.quality)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_state_error(data: bytes) -> None:
    for candidate in (data, PREFIX.pack(MAGIC, VERSION, len(data)) + data, PREFIX.pack(MAGIC, VERSION, 3) + data):
        with pytest.raises(StateError):
            State.from_bytes(candidate)


@pytest.mark.parametrize(
    "change",
    [
        {"grid": 257},
        {"grid": 0},
        {"grid": True},
        {"grid": 8},
        {"grid": "16"},
        {"consumed": -1},
        {"consumed": 1.5},
        {"quality": None},
        {"quality": 10**400},
        {"quality": float("nan")},
        {"reference": float("inf")},
        {"model": 3},
        {"fingerprint": None},
        {"region": None},
        {"region": {"size": 32, "centre": [0, 0], "spacing": 1}},
        {"region": {"size": 32, "centre": [0, 0, float("nan")], "spacing": 1}},
        {"lattice": []},
    ],
)
def test_a_header_with_an_impossible_value_is_refused(change: dict[str, object]) -> None:
    data = a_state().to_bytes()
    body = data[PREFIX.size + PREFIX.unpack_from(data)[2] :]
    assert State.from_bytes(packed(header_of(data), body))
    with pytest.raises(StateError):
        State.from_bytes(packed(header_of(data) | change, body))


def test_a_header_without_a_field_is_refused() -> None:
    data = a_state().to_bytes()
    body = data[PREFIX.size + PREFIX.unpack_from(data)[2] :]
    for name in header_of(data):
        header = {key: value for key, value in header_of(data).items() if key != name}
        with pytest.raises(StateError):
            State.from_bytes(packed(header, body))


def test_logits_that_are_not_finite_are_refused() -> None:
    header = header_of(a_state().to_bytes())
    for value in (np.nan, np.inf):
        logits = np.full((16, 16, 16), value, np.float16).tobytes()
        with pytest.raises(StateError):
            State.from_bytes(packed(header, zlib.compress(logits)))


def test_a_compressed_bomb_is_refused_without_being_inflated() -> None:
    header = header_of(a_state().to_bytes())
    bomb = zlib.compress(bytes(1 << 23))
    with pytest.raises(StateError):
        State.from_bytes(packed(header, bomb))
    with pytest.raises(StateError):
        State.from_bytes(packed(header, zlib.compress(bytes(2 * 16**3)) + bytes(1 << 20)))


def test_another_version_is_named() -> None:
    with pytest.raises(StateError, match="version 9"):
        State.from_bytes(packed({}, b"", version=9))


def test_a_state_leads_only_to_the_points_it_has_seen() -> None:
    state = a_state()
    assert state.leads_to(POINTS)
    assert state.leads_to((*POINTS, Point(3, (1, 1, 1))))
    assert not state.leads_to(POINTS[:1])
    assert not state.leads_to((POINTS[0], replace(POINTS[1], positive=True)))
    assert not state.leads_to((replace(POINTS[0], position_ijk=(8, 9, 10.5)), POINTS[1]))


def test_a_state_of_another_model_or_volume_is_refused() -> None:
    volume = noise((20, 20, 20))
    a_state().check(volume, small_config())
    with pytest.raises(StateError, match="'small', not by 'large'"):
        a_state().check(volume, small_config(name="large"))
    with pytest.raises(StateError, match="model"):
        a_state(logits=np.zeros((8, 8, 8), np.float16)).check(volume, small_config())
    for region in (Region(32, (1e300, 0.0, 0.0), None), Region(32, (8.0, 9.0, 10.0), 1e-9)):
        with pytest.raises(StateError, match="another volume"):
            a_state(region=region).check(volume, small_config())
        with pytest.raises(StateError, match="another volume"):
            a_state(lattice=region).check(volume, small_config())


@given(
    values=hnp.arrays(np.float32, 20, elements=st.floats(-(2.0**15), 2.0**15, width=32)),
    digits=st.none() | st.integers(2, 8),
)
def test_rounded_logits_keep_their_signs_and_leading_digits(values: np.ndarray, digits: int | None) -> None:
    kept = rounded(values, digits)
    assert kept.dtype == np.float16
    ordinary = np.abs(values) > np.finfo(np.float16).tiny
    assert np.array_equal(np.sign(kept[ordinary]), np.sign(values[ordinary]))
    off = np.abs(kept.astype(np.float64) - values)[ordinary]
    assert (off <= np.abs(values[ordinary]) * (2.0 ** -(digits or 11) + 2.0**-11)).all()
    assert np.array_equal(rounded(kept, digits), kept)


def test_a_state_of_fine_logits_takes_fewer_bytes() -> None:
    logits = np.random.default_rng(0).normal(0, 8, (32, 32, 32)).astype(np.float32)
    full, short = (len(a_state(logits=rounded(logits, digits)).to_bytes()) for digits in (None, DIGITS_OF_FINE_LOGITS))
    assert short < 0.7 * full
