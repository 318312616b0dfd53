"""Compression: either kind is read, nothing takes more memory than it should, and only numpy is really needed."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from msam.protocol import compression, masks, volumes
from msam.protocol.compression import compress_quickly, decompress, deflate
from msam.protocol.masks import Mask
from msam.protocol.problems import ProtocolError

BOMB_LENGTH = 1 << 20
# What the module in 3D Slicer imports.
PROTOCOL = ("envelope", "events", "masks", "messages", "names", "problems", "records", "steps", "volumes")
FURTHER = ("access", "engine_process.machine", "engine_process.command", "geometry", "measurements", "shared_memory")


@pytest.fixture
def without_zstandard(monkeypatch: pytest.MonkeyPatch) -> None:
    """This Python as that of 3D Slicer."""
    monkeypatch.setattr(compression, "_zstandard", None)


@given(st.binary(max_size=2000))
def test_both_kinds_come_back_as_they_went(content):
    for packed in (deflate(content, 6), compress_quickly(content)):
        assert decompress(packed, len(content), "It") == content


@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=40))
def test_bytes_that_are_neither_are_refused_in_words(content, noise):
    for packed in (noise, deflate(content, 6)[:-1], deflate(content, 6) + noise, compress_quickly(content) + noise):
        with pytest.raises(ProtocolError, match="It "):
            decompress(packed, len(content), "It")


@given(st.binary(min_size=2, max_size=300), st.integers(-1, 1).filter(bool))
def test_another_length_than_announced_is_refused(content, more):
    for packed in (deflate(content, 6), compress_quickly(content)):
        with pytest.raises(ProtocolError):
            decompress(packed, len(content) + more, "It")


def test_a_bomb_takes_no_more_memory_than_what_it_should_hold():
    bomb = zlib.compress(bytes(BOMB_LENGTH), 9)
    tracemalloc.start()
    with pytest.raises(ProtocolError, match="has more"):
        decompress(bomb, 512, "It")
    assert tracemalloc.get_traced_memory()[1] < BOMB_LENGTH // 8
    tracemalloc.stop()


def test_masks_travel_as_zlib_and_voxels_as_zstandard():
    mask = Mask(((0, 8),) * 3, np.ones((8, 8, 8), np.bool_))
    assert len(zlib.decompress(masks.pack(mask))) == 64
    description, data = volumes.describe(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    assert zstandard.get_frame_parameters(volumes.pack_part(description, data, 0)).content_size == 120


@pytest.mark.usefixtures("without_zstandard")
def test_without_zstandard_voxels_travel_as_zlib():
    description, data = volumes.describe(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    packed = volumes.pack_part(description, data, 0)
    assert len(zlib.decompress(packed)) == 120
    assert volumes.unpack_part(description, 0, packed) == bytes(data)


@pytest.mark.usefixtures("without_zstandard")
def test_without_zstandard_what_was_packed_with_it_is_refused_with_what_to_do():
    with pytest.raises(ProtocolError, match="install zstandard"):
        decompress(zstandard.compress(bytes(100)), 100, "It")


def test_the_side_of_the_application_needs_nothing_but_numpy():
    lines = (
        "import sys",
        "for name in ('zstandard', 'torch', 'httpx', 'fastapi', 'uvicorn', 'SimpleITK', 'scipy', 'safetensors'):",
        "    sys.modules[name] = None",
        "from importlib import import_module",
        *(f"import_module('msam.protocol.{name}')" for name in PROTOCOL),
        *(f"import_module('msam.{name}')" for name in FURTHER),
    )
    package = Path(compression.__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env={"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
