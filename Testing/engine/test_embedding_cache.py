"""The cache of embeddings: bounded in bytes, least recently used first out."""

from __future__ import annotations

import gc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from session_stand_ins import noise

from msam.session.cache import EmbeddingCache


def embedding(nbytes: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.zeros(nbytes, np.uint8)


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = EmbeddingCache(limit_bytes=300)
    for key in "abc":
        cache.put(key, embedding(100))
    cache.get("a")
    cache.put("d", embedding(100))

    assert cache.get("b") is None
    assert all(cache.get(key) is not None for key in "acd")


def test_something_larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    cache = EmbeddingCache(limit_bytes=100)
    cache.put("a", embedding(60))
    cache.put("b", embedding(101))

    assert cache.get("a") is not None
    assert cache.get("b") is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 150)), max_size=40))
def test_the_bound_holds_and_the_sum_is_right(puts: list[tuple[int, int]]) -> None:
    cache = EmbeddingCache(limit_bytes=200)
    sizes: dict[int, int] = {}
    for key, nbytes in puts:
        cache.put(key, embedding(nbytes))
        sizes[key] = nbytes
        kept = [sizes[key] for key in sizes if cache.get(key) is not None]
        assert cache.nbytes == sum(kept) <= 200

    cache.clear()
    assert (cache.nbytes, len(cache)) == (0, 0)


def test_names_are_stable_and_keep_nothing_alive() -> None:
    cache = EmbeddingCache()
    volume = noise((4, 4, 4))
    name = cache.name(volume)
    assert cache.name(volume) == name

    del volume
    gc.collect()
    others = [noise((4, 4, 4)) for _ in range(20)]
    assert name not in {cache.name(other) for other in others}
    assert len(cache._names) == len(others)
