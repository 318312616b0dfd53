"""Data sets larger than memory: what is kept in files is trained on as if it were not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_folders import TINY_COMPACT, plain_pair

from msam.errors import MsamError
from msam.training import cases
from msam.training.cases import Target, targets_of
from msam.training.layouts import find_cases
from msam.training.recipes import FROM_SCRATCH
from msam.training.shelf import FOLDER, Shelf
from msam.training.stream import maker_for
from msam.volume import Volume


def test_what_is_too_much_for_memory_lies_in_files_until_the_end(tmp_path: Path) -> None:
    arrays = [np.full((4, 5, 6), number, np.int16) for number in range(4)]
    with Shelf(tmp_path, most=2 * arrays[0].nbytes) as shelf:
        kept = [shelf.keep(array) for array in arrays]
        assert [one is other for one, other in zip(kept, arrays, strict=True)] == [True, True, False, False]
        assert all(np.array_equal(one, other) for one, other in zip(kept, arrays, strict=True))
        assert not kept[3].flags.writeable
        assert len([*(tmp_path / FOLDER / "0").iterdir()]) == 2
        with Shelf(tmp_path, number=1, most=0) as another:
            another.keep(arrays[0])
        assert len([*(tmp_path / FOLDER / "0").iterdir()]) == 2, "the files of another process are not ours"
    assert not (tmp_path / FOLDER).exists()


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / FOLDER / "0" / "9.npy"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"much")
    with Shelf(tmp_path):
        assert not left.exists()


def test_a_full_disk_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_bytes(b"in the way")
    with Shelf(tmp_path, most=0) as shelf, pytest.raises(MsamError, match="more than memory holds"):
        shelf.keep(np.zeros(3))


def test_examples_are_the_same_from_files(tmp_path: Path) -> None:
    training, _ = find_cases(plain_pair(tmp_path / "data"))
    with Shelf(tmp_path, most=0) as shelf:
        one, other = (
            maker_for(targets_of(training, unions=True, shelf=where), TINY_COMPACT, FROM_SCRATCH)
            for where in (None, shelf)
        )
        for seed in range(6):
            first, second = one.draw(seed), other.draw(seed)
            assert first.image.equal(second.image) and first.truth.equal(second.truth)
            assert first.click.equal(second.click)


def test_of_a_very_large_object_voxels_all_over_it_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.zeros((20, 30, 40), np.uint8)
    label[2:18, 3:27, 4:36] = 1
    volume = Volume(label.astype(np.int16), np.diag([2.0, 1, 1, 1]))
    whole, part = (Target("a", "b", "c", volume, label, (1,)) for _ in range(2))
    assert np.array_equal(whole.voxels_kji, np.argwhere(label))
    monkeypatch.setattr(cases, "MOST_LISTED", 1000)
    assert 500 < len(part.voxels_kji) <= 1000
    assert label[tuple(part.voxels_kji.T)].all()
    np.testing.assert_allclose(part.voxels_kji.mean(axis=0), whole.voxels_kji.mean(axis=0), atol=0.5)
    assert part.extent_mm == whole.extent_mm == 64
