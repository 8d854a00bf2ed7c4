"""A long measurement says that it goes on, often enough for a watchdog."""

from __future__ import annotations

import itertools

import numpy as np

from streamlcn.morphometry import MorphometryParameters, analyse, analyse_streamed
from tests.morphometry.network_phantom import network_phantom

VOLUME = network_phantom((60, 110, 110), 0.25, 6, 12, seed=4).labels


def test_no_tenth_of_the_work_passes_in_silence():
    told: list[float] = []

    def read(start: int, stop: int):
        return VOLUME[start:stop]

    found = analyse_streamed(read, VOLUME.shape, 0.25, slab_height=5, tell=told.append)
    assert found.morphometry.lacunae.count >= 2
    assert len(told) > 80
    steps = np.diff([0.0, *told])
    assert (steps >= 0).all(), "the share never falls"
    assert steps.max() < 0.1
    assert abs(told[-1] - 1) < 1e-9


def test_each_slab_is_told_of_before_the_next_is_read():
    log: list[str] = []

    def read(start: int, stop: int):
        log.append("read")
        return VOLUME[start:stop]

    analyse_streamed(read, VOLUME.shape, 0.25, slab_height=5, tell=lambda _: log.append("told"))
    assert log.count("read") == 3 * len(VOLUME) // 5
    assert ("read", "read") not in itertools.pairwise(log)


def test_who_listens_changes_nothing_and_a_volume_at_hand_ends_at_one():
    told: list[float] = []
    heard = analyse(VOLUME, 0.25, MorphometryParameters(), tell=told.append)
    assert told[-1] == 1.0
    assert heard.morphometry == analyse(VOLUME, 0.25).morphometry
