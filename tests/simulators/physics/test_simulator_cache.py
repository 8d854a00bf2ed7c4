import os

import numpy as np
import pytest

from simulators import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMULATORS_CACHE", str(tmp_path))
    return tmp_path


def _numbers(seed, length=1000):
    return np.random.default_rng(seed).random(length)


def test_an_array_is_made_once(folder):
    made = []

    def make():
        made.append(1)
        return _numbers(1)

    first, second = (cache.cached("kind", "key", make) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(first, _numbers(1))
    assert len(made) == 1
    assert [path.name for path in folder.iterdir()] == ["kind-key.npy"]


def test_a_failure_leaves_nothing_behind(folder):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.cached("kind", "key", fail)
    assert not list(folder.iterdir())


def test_what_was_unused_longest_goes_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 3 * 8200)
    for number, name in enumerate("abc"):
        cache.cached("kind", name, lambda number=number: _numbers(number))
        os.utime(folder / f"kind-{name}.npy", (number, number))
    kept = cache.cached("kind", "a", lambda: pytest.fail("was there"))
    cache.cached("kind", "d", lambda: _numbers(4))
    assert {path.stem[-1] for path in folder.iterdir()} == {"a", "c", "d"}
    cache.cached("kind", "e", lambda: _numbers(5, 4000))
    assert {path.stem[-1] for path in folder.iterdir()} == {"e"}
    assert np.array_equal(kept, _numbers(0)), "an open map outlives its file"


def test_a_hash_tells_contents_apart():
    assert cache.content_hash(1, "a") == cache.content_hash(1, "a")
    different = {
        cache.content_hash(*parts)
        for parts in ((1, "a"), (1, "b"), ("1a",), (np.arange(3),), (np.arange(3.0),), (1.0, "a"))
    }
    assert len(different) == 6
