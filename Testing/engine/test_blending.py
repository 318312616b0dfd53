"""The mask of the volume from the logits of regions, made slab by slab."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from geometries import GEOMETRIES
from hypothesis import given
from hypothesis import strategies as st

from msam.region import Region, paste
from msam.session import blending
from msam.session.answer import Answer
from msam.session.boxes import NO_BOX, part
from msam.session.lattice import share_at_voxels
from msam.session.masks import CroppedMask
from msam.session.run import Run
from msam.volume import Volume

SHAPE_KJI = (17, 22, 25)
CELLS, SIZE = 8, 16


@st.composite
def answers(draw: st.DrawFn, volume: Volume, middle: float) -> Answer:
    """What a network may say of any region, with more or fewer cells set."""
    centre = [draw(st.floats(-6, length + 5)) for length in volume.shape_ijk]
    region = Region.around(centre, SIZE, draw(st.sampled_from([None, 0.5, 1.3, 3.0])))
    noise = np.random.default_rng(draw(st.integers(0, 1000))).normal(middle, 1.0, (CELLS,) * 3)
    return Answer(region, noise.astype(np.float16).astype(np.float32), 0.5)


def made_at_once(volume: Volume, whole: Answer, windows: list[Answer]) -> CroppedMask:
    """The same mask without slabs, boxes within boxes, or bits."""
    everything = tuple((0, length) for length in volume.shape_ijk)

    def whole_volume(answer: Answer, values) -> np.ndarray:
        field = np.zeros(volume.voxels.shape, np.float32)
        box = answer.region.box(volume)
        if all(start < stop for start, stop in box):
            part(field, everything, box)[...] = values(box)  # type: ignore[arg-type]
        return field

    def logits(answer: Answer) -> np.ndarray:
        return whole_volume(answer, lambda box: paste(answer.logits, volume, answer.region)[1])

    from_afar = logits(whole)
    blended = from_afar.copy()
    for window in windows:
        share = whole_volume(window, lambda box, region=window.region: share_at_voxels(volume, region, box))
        blended += share * (logits(window) - from_afar)
    return CroppedMask.cropped(NO_BOX, blended > 0)


@given(st.data(), st.sampled_from(sorted(GEOMETRIES)), st.integers(1, 3000), st.sampled_from([-2.0, 0.0, 2.0]))
def test_slabs_of_any_size_make_the_mask_that_is_made_at_once(data, geometry, at_once, middle):
    volume = Volume(np.zeros(SHAPE_KJI, np.int16), GEOMETRIES[geometry], "CT")
    whole = data.draw(answers(volume, middle))
    windows = data.draw(st.lists(answers(volume, middle), max_size=2))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blending, "VOXELS_AT_ONCE", at_once)
        mask = blending.mask_of(volume, whole, windows, Run())
    expected = made_at_once(volume, whole, windows)
    assert mask.box == expected.box
    assert np.array_equal(mask.voxels, expected.voxels)
    assert not mask.voxels.flags.writeable


def test_an_object_as_large_as_the_scan_costs_little_more_than_its_mask(monkeypatch):
    monkeypatch.setattr(blending, "VOXELS_AT_ONCE", 1 << 16)
    volume = Volume(np.zeros((160, 160, 160), np.int8), np.diag([0.01, 0.01, 0.01, 1.0]), "CT")
    region = Region.around((80, 80, 80), 64, 0.03)
    tracemalloc.start()
    try:
        mask = blending.mask_of(volume, Answer(region, np.ones((16, 16, 16), np.float32), 0.9), [], Run())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert mask.count == volume.voxels.size
    assert peak < 1.5 * volume.voxels.nbytes
