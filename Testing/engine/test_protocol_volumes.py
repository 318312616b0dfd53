"""Volumes on their way: known by what they hold, and put together again from their parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import msam
from msam import shared_memory
from msam.protocol import names, volumes
from msam.protocol.problems import ProtocolError
from msam.protocol.volumes import TYPES, VolumeDescription

MATRIX = np.diag([0.7, 0.8, 2.5, 1.0])

arrays = hnp.arrays(st.sampled_from(["<i2", ">i2", "|u1", "<f4", "<f8", "|b1"]), st.tuples(*[st.integers(1, 6)] * 3))


def identity(voxels: np.ndarray, matrix: np.ndarray = MATRIX, modality: str | None = None) -> str:
    description, data = volumes.describe(voxels, matrix, modality)
    return volumes.identity(description, volumes.digests(description, data))


@given(arrays)
def test_a_volume_is_put_together_from_its_parts(voxels):
    description, data = volumes.describe(voxels, MATRIX)
    parts = [volumes.pack_part(description, data, part) for part in range(description.parts)]
    found = b"".join(volumes.unpack_part(description, part, packed) for part, packed in enumerate(parts))
    assert np.array_equal(description.array(found), voxels, equal_nan=voxels.dtype.kind == "f")


def test_a_volume_of_several_parts(monkeypatch):
    monkeypatch.setattr(volumes, "PART_BYTES", 1000)
    voxels = np.random.default_rng(0).integers(-1000, 1000, (7, 11, 13), dtype=np.int16)
    description, data = volumes.describe(voxels, MATRIX)
    assert description.parts == 3
    parts = [volumes.unpack_part(description, part, volumes.pack_part(description, data, part)) for part in range(3)]
    assert np.array_equal(description.array(b"".join(parts)), voxels)


def test_a_volume_is_known_by_its_voxels_its_geometry_and_its_modality():
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    other = voxels.copy()
    other[2, 3, 4] += 1
    moved = MATRIX.copy()
    moved[0, 3] = 1e-9
    known = {
        identity(voxels),
        identity(other),
        identity(voxels, moved),
        identity(voxels, modality="CT"),
        identity(voxels.reshape(4, 3, 5)),
        identity(voxels.view(np.uint16)),
    }
    assert len(known) == 6


def test_the_same_volume_is_known_by_the_same_name_however_it_lies_in_memory():
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    assert identity(voxels) == identity(np.asfortranarray(voxels)) == identity(voxels.astype(">i2"))
    negative_zero = MATRIX.copy()
    negative_zero[0, 1] = -0.0
    assert identity(voxels) == identity(voxels, negative_zero)


def test_bytes_are_not_copied_when_they_lie_as_they_travel():
    voxels = np.zeros((3, 4, 5), np.int16)
    _, data = volumes.describe(voxels, MATRIX)
    assert np.shares_memory(np.frombuffer(data, np.uint8), voxels)


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "<c8"},
        {"dtype": "|O"},
        {"dtype": "<i2,<i2"},
        {"shape": (0, 4, 5)},
        {"shape": (1 << 14, 1 << 14, 1 << 14)},
        {"shape": (-3, 4, 5)},
        {"shape": (1 << 40, 1, 1)},
        {"ijk_to_ras": (float("nan"),) * 16},
        {"ijk_to_ras": (1.0,) * 15},
        {"modality": "x" * 17},
        {"modality": "ü"},
        {"modality": ""},
    ],
)
def test_a_volume_that_cannot_be_is_refused_before_memory_is_taken(changes):
    sound = {"dtype": "<i2", "shape": (3, 4, 5), "ijk_to_ras": tuple(MATRIX.ravel()), "modality": None}
    VolumeDescription(**sound).check()
    with pytest.raises(ProtocolError):
        VolumeDescription(**{**sound, **changes}).check()


def test_every_type_travels():
    for dtype in TYPES:
        description, _ = volumes.describe(np.zeros((2, 2, 2), dtype), MATRIX)
        assert description.dtype == dtype


def test_a_type_that_does_not_travel_is_refused_in_words():
    with pytest.raises(ProtocolError, match="<c16"):
        volumes.describe(np.zeros((2, 2, 2), np.complex128), MATRIX)


@given(st.binary(max_size=100))
def test_a_part_of_noise_is_refused(noise):
    description, _ = volumes.describe(np.zeros((3, 4, 5), np.int16), MATRIX)
    with pytest.raises(ProtocolError):
        volumes.unpack_part(description, 0, noise)
    with pytest.raises(ProtocolError):
        volumes.unpack_part(description, 1, noise)


def test_the_largest_part_is_within_the_limit_of_a_message():
    assert names.PART_BYTES < names.LARGEST_REQUEST


# Shared memory: another process looks at what this one offers.

READ = """
import sys
from msam.shared_memory import attach
found = attach(sys.argv[1], int(sys.argv[2]))
print(bytes(found[:5]).hex(), len(found))
"""


def read_elsewhere(address: str, nbytes: int) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(Path(msam.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", READ, address, str(nbytes)], capture_output=True, text=True, env=environment, check=False
    )


OFFERS = [shared_memory.NamedOffer] + ([shared_memory.NamelessOffer] if sys.platform == "linux" else [])


@pytest.mark.parametrize("kind", OFFERS)
def test_another_process_sees_what_is_offered_and_nothing_stays(kind):
    data = memoryview(b"hello" * 1000)
    offer = kind(data)
    try:
        found = read_elsewhere(offer.address, len(data))
    finally:
        offer.close()
    assert found.stdout.split() == [b"hello".hex(), "5000"], found.stderr
    assert "leaked" not in found.stderr
    assert read_elsewhere(offer.address, len(data)).returncode != 0


@pytest.mark.parametrize(
    "address",
    [
        "",
        "memfd:1:../../etc/passwd",
        "memfd:-1:3",
        "named:../x",
        "named:",
        "file:/etc/passwd",
        "memfd:1:0",
        "memfd:99999999:1",
    ],
)
def test_an_address_that_leads_elsewhere_is_refused(address):
    with pytest.raises(ProtocolError):
        shared_memory.attach(address, 10)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no memory without a name")
def test_memory_that_could_still_change_is_refused(tmp_path):
    import os

    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.write(file, b"hello")
    try:
        with pytest.raises(ProtocolError):
            shared_memory.attach(f"memfd:{os.getpid()}:{file}", 5)
    finally:
        os.close(file)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no memory without a name")
def test_an_offer_of_another_length_is_refused():
    offer = shared_memory.NamelessOffer(memoryview(b"hello"))
    try:
        with pytest.raises(ProtocolError):
            shared_memory.attach(offer.address, 6)
    finally:
        offer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="memory with a name needs no further process there")
def test_without_memory_that_can_be_sealed_it_has_a_name(monkeypatch):
    """A Python that was built on an old Linux."""
    monkeypatch.delattr("os.memfd_create", raising=False)
    offer = shared_memory.offer(memoryview(b"hello"))
    try:
        assert isinstance(offer, shared_memory.NamedOffer)
        assert bytes(shared_memory.attach(offer.address, 5)) == b"hello"
    finally:
        offer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="memory with a name needs no further process there")
@pytest.mark.parametrize("program", ["/opt/Slicer/bin/SlicerApp-real", "", None])
def test_an_application_is_never_started_once_more_for_shared_memory(monkeypatch, program):
    """Python's resource tracker runs `sys.executable`, which in 3D Slicer may be 3D Slicer."""
    monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setattr(sys, "executable", program)
    monkeypatch.setattr(shared_memory, "SharedMemory", lambda **_: pytest.fail("the tracker would have been started"))
    with pytest.raises(OSError, match="no memory to share"):
        shared_memory.offer(memoryview(b"hello"))
