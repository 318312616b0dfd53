"""Steps: the way of one, and how the scan gets to the engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from stand_in_drawing import ball
from step_bench import INSIDE, MATRIX, SHAPE_IJK, Bench, a_scan

from msam.protocol import masks, volumes
from msam.protocol.problems import ProtocolError
from msam.protocol.steps import ClickRecord
from MSAMSegmentLib import known_volume, volume_upload
from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.scans import Scan

# The way of one step


def test_the_first_step_starts_the_engine_and_brings_it_the_scan(bench: Bench):
    reply = bench.do()
    description, _ = volumes.describe(a_scan().voxels, MATRIX, "CT")
    assert np.array_equal(reply.mask.whole(SHAPE_IJK), ball(description, INSIDE.position_ijk, 8.0))
    assert bench.told == [("only", "done")]
    assert bench.link.state == "ready"


def test_the_next_step_goes_on_from_the_state_and_brings_nothing_again(bench: Bench):
    first = bench.do()
    before = len(bench.asked)
    negative = ClickRecord((24.0, 15.0, 10.0), False)
    second = bench.do(INSIDE, negative, state=first.state, iterations=1)
    assert bench.asked[before:] == ["POST / v1 / segment"]
    assert second.header.iterations == 2
    assert not second.mask.whole(SHAPE_IJK)[10, 15, 24]


def test_a_mask_to_go_on_from_arrives_with_the_clicks_it_has_seen(bench: Bench):
    drawn = np.zeros(SHAPE_IJK[::-1], np.bool_)
    drawn[3:7, 10:20, 5:9] = True
    reply = bench.do(INSIDE, mask=masks.cropped(drawn), seen=1)
    expected = drawn.copy()
    expected[10, 15, 20] = True
    assert np.array_equal(reply.mask.whole(SHAPE_IJK), expected)


def test_a_scan_is_read_through_once_for_each_state_of_its_voxels(bench: Bench, monkeypatch):
    read: list[int] = []
    identity = volumes.identity
    monkeypatch.setattr(known_volume.volumes, "identity", lambda *given: read.append(1) or identity(*given))
    scan = a_scan(stamp=(1, 1))
    for _ in range(3):
        bench.do(scan=scan)
    read_at_first = len(read)
    bench.do(scan=a_scan(stamp=(2, 1), seed=1))
    bench.do(scan=scan)
    # The stand-in engine looks at the identity of each scan that it is brought, too.
    assert (read_at_first, len(read)) == (2, 4)


def test_a_real_volume_node_can_be_segmented(bench: Bench, volumeNode):
    scan = Scan.of(volumeNode)
    reply = bench.do(ClickRecord((30.0, 25.0, 20.0)), scan=scan)
    k, j, i = np.argwhere(reply.mask.whole(scan.shapeIjk)).mean(axis=0)
    assert np.allclose((i, j, k), (30, 25, 20), atol=0.01)


def test_the_engine_learns_nothing_of_the_scan_but_voxels_geometry_and_modality(bench: Bench, volumeNode):
    volumeNode.SetName("Doe^Jane")
    bench.do(ClickRecord((30.0, 25.0, 20.0)), scan=Scan.of(volumeNode))
    assert not any("Doe" in line for line in (*bench.transport.service.asked, *bench.link.logLines))


# Bringing the scan


def test_on_this_computer_the_scan_is_handed_over_in_memory(bench: Bench):
    bench.do()
    assert "PUT / v1 / volumes / / shared" in bench.asked
    assert not any("parts" in line for line in bench.asked)


def test_where_memory_cannot_be_shared_the_scan_goes_in_parts(bench: Bench, monkeypatch):
    def cannot(data: memoryview) -> None:
        raise AttributeError("module 'os' has no attribute 'memfd_create'")

    monkeypatch.setattr("msam.shared_memory.offer", cannot)
    bench.do()
    assert "PUT / v1 / volumes / / parts / 0" in bench.asked


def test_where_the_engine_does_not_see_the_memory_the_scan_goes_in_parts(bench: Bench, monkeypatch):
    def cannot(address: str, nbytes: int) -> None:
        raise ProtocolError("The memory that the volume should be in cannot be seen from here; upload it.")

    monkeypatch.setattr("msam.shared_memory.attach", cannot)
    bench.do()
    assert "PUT / v1 / volumes / / parts / 0" in bench.asked


def test_memory_that_was_lent_is_taken_back(bench: Bench, monkeypatch):
    lent: list[Any] = []
    cancel = volume_upload._Lent.cancel
    monkeypatch.setattr(volume_upload._Lent, "cancel", lambda self: (lent.append(self), cancel(self)))
    bench.do()
    bench.transport.forgetVolumes()
    bench.transport.service.uploadDelay = 50
    bench.run("cancelled")
    bench.transport.runUntil(lambda: bench.asked[-1].endswith("shared"), 5)
    bench.runner.cancel()
    assert len(lent) == 2


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans travel in many parts."""
    monkeypatch.setattr(volumes, "PART_BYTES", 6000)


@pytest.mark.usefixtures("small_parts")
def test_an_upload_tells_how_far_it_is(remote: Bench):
    remote.do()
    fractions = [fraction for fraction, words in remote.progress if words == "Uploading the scan"]
    assert len(fractions) == 8
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] < 1


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_broke_off_goes_on_where_it_was(remote: Bench):
    remote.transport.service.uploadDelay = 5
    remote.run("only")
    assert remote.transport.runUntil(lambda: "PUT / v1 / volumes / / parts / 3" in remote.asked, 5)
    remote.transport.service.abandon()
    waiting, remote.transport._open = remote.transport._open, []
    for answered in waiting:
        answered(SimpleNamespace(status=0, body=b"", failure=Failure.LOST))
    remote.finish()
    assert "only" in remote.replies
    sent = [line[-1] for line in remote.asked if "parts" in line]
    assert sorted(set(sent)) == list("01234567")
    assert sent.count("0") == sent.count("1") == 1


def test_a_scan_that_the_engine_forgot_is_brought_again(bench: Bench):
    before = bench.do()
    bench.transport.forgetVolumes()
    assert np.array_equal(bench.do().mask.voxels, before.mask.voxels)


def test_an_engine_that_forgets_again_and_again_is_told_of(bench: Bench):
    for _ in range(20):
        bench.transport.failNext("volume-unknown")
    bench.run("only")
    bench.finish()
    assert "forgets" in str(bench.errors["only"])


def test_a_scan_that_cannot_travel_is_an_error_and_no_exception(bench: Bench):
    scan = a_scan()
    scan.voxels = scan.voxels.astype(np.complex64)
    bench.run("only", scan=scan)
    bench.finish()
    assert isinstance(bench.errors["only"], ProtocolError)
