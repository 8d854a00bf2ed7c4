"""Frames whose documents were lost are placed by counting: never wrongly, and wherever that is possible."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlcn.documents._placing import placed, ranges

Slot = tuple[str, int]


def written(blocks: list[tuple[str, int]], rewinds: list[int]) -> list[Slot]:
    """The slots of a file: blocks of frames of streams, with steps back after pauses."""
    seen: dict[str, int] = {}
    slots: list[Slot] = []
    for stream, count in blocks:
        for _ in range(count):
            seen[stream] = seen.get(stream, 0) + 1
            slots.append((stream, seen[stream]))
    for place in sorted(rewinds, reverse=True):
        at = place % (len(slots) + 1)
        back = [slot for slot in slots[max(0, at - 2) : at] if at and slot[0] == slots[at - 1][0]]
        slots[at:at] = back
    return slots


BLOCKS = st.lists(
    st.tuples(st.sampled_from(["dark", "flat", "primary"]), st.integers(1, 6)), min_size=1, max_size=6
)


@settings(max_examples=250, deadline=None)
@given(BLOCKS, st.lists(st.integers(0, 40), max_size=3), st.lists(st.booleans(), min_size=60, max_size=60),
       st.booleans())  # fmt: skip
def test_no_frame_is_ever_placed_wrongly(
    blocks: list[tuple[str, int]], rewinds: list[int], came: list[bool], is_closed: bool
) -> None:
    slots = written(blocks, rewinds)
    known = {index: slot for index, slot in enumerate(slots) if came[index % len(came)]}
    arrived = set(known.values())
    counts = {stream: max(seq for found, seq in slots if found == stream) for stream, _ in slots}
    missing = {
        stream: [seq for seq in range(1, count + 1) if (stream, seq) not in arrived]
        for stream, count in counts.items()
    }
    length = len(slots) if is_closed else None
    found = placed(known, missing, length)
    assert not set(found) & set(known)
    assert all(slots[index] == slot for index, slot in found.items())
    order = sorted(set(slots), key=slots.index)
    with_times = placed(known, missing, length, order)
    assert all(slots[index] == slot for index, slot in with_times.items())
    if is_closed and len(order) == len(slots):
        assert len(with_times) == sum(map(len, missing.values()))


def test_where_counting_is_enough() -> None:
    slots = [("flat", 1), ("flat", 2), ("p", 1), ("p", 2), ("p", 3), ("p", 4), ("flat", 3)]
    known = {index: slots[index] for index in (0, 3, 5, 6)}
    assert placed(known, {"p": [3]}, None) == {4: ("p", 3)}
    missing = {"flat": [2], "p": [1, 3]}
    assert placed(known, missing, None) == {4: ("p", 3)}  # flat 2 and p 1 may be either way round
    assert placed(known, missing, 7, slots) == {1: ("flat", 2), 2: ("p", 1), 4: ("p", 3)}
    assert placed({3: slots[3]}, {"p": [1, 3, 4]}, 4) == {}  # the file holds more, or less, than is told
    assert placed({0: slots[2]}, {"p": [2, 3, 4]}, 4) == {1: slots[3], 2: slots[4], 3: slots[5]}


@pytest.mark.parametrize("order", [[("p", 2), ("p", 1), ("p", 3)], [("p", 1), ("p", 3)], []])
def test_times_that_contradict_documents_are_not_believed(order: list[Slot]) -> None:
    assert placed({1: ("p", 2)}, {"p": [1, 3]}, 3, order) == {0: ("p", 1), 2: ("p", 3)}
    assert placed({1: ("p", 2)}, {"p": [1], "q": [1]}, 3, order) == {0: ("p", 1), 2: ("q", 1)}


def test_a_frame_known_twice_makes_all_uncertain() -> None:
    assert placed({0: ("p", 1), 1: ("p", 1), 3: ("p", 3)}, {"p": [2]}, None) == {}


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.integers(0, 12), st.tuples(st.sampled_from("ab"), st.integers(1, 12))))
def test_ranges_are_the_same_in_other_words(found: dict[int, Slot]) -> None:
    again = {
        first + n: (stream, seq + n) for first, stream, seq, count in ranges(found) for n in range(count)
    }
    assert again == found


def test_a_long_file_is_placed_in_one_go() -> None:
    generator = random.Random(1)
    lost = {generator.randrange(1, 2999) for _ in range(600)}
    known = {index: ("p", index + 1) for index in range(3000) if index not in lost}
    found = placed(known, {"p": sorted(index + 1 for index in lost)}, None)
    assert found == {index: ("p", index + 1) for index in lost}
