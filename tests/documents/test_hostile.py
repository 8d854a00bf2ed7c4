"""Whatever comes over the wire: nothing runs, nothing grows, nothing but BadDocument is raised."""

from __future__ import annotations

import builtins
import copyreg
import datetime as dt
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recording import recorded

from simulators.codecs import CODECS
from simulators.wire_faults import GARBAGE
from streamlcn.documents import decode, reason_of
from streamlcn.documents._pickles import _STAND_INS
from streamlcn.documents.settings import DecodeLimits
from streamlcn.errors import BadDocument

REASONS = {"undecodable", "unsafe", "too_large", "invalid"}


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self._call = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self._call


def refused(payload: bytes, name: bytes = b"event") -> str:
    with pytest.raises(BadDocument) as refusal:
        decode(b" " + name + b" " + payload)
    assert len(str(refusal.value)) < 500
    assert reason_of(refusal.value) in REASONS
    return reason_of(refusal.value)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_nothing_is_executed(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "ran"
    attempts = [
        Calls(os.system, f"touch {trace}"),
        Calls(subprocess.check_call, ["touch", str(trace)]),
        Calls(eval, f"open({str(trace)!r}, 'w')"),
        Calls(exec, f"open({str(trace)!r}, 'w')"),
        Calls(builtins.open, str(trace), "w"),
        Calls(getattr, "text", "join"),
        Calls(np.load, str(trace)),
        Calls(copyreg._reconstructor, object, object, None),
    ]
    for attempt in attempts:
        for document in (attempt, {"uid": "u", "time": attempt}, [attempt]):
            assert refused(pickle.dumps(document, protocol=protocol), b"start") == "unsafe"
    assert not trace.exists()
    pickle.loads(pickle.dumps(attempts[0]))  # noqa: TID251  the same bytes, carelessly read, do run
    assert trace.exists()


def test_an_object_array_inside_msgpack_is_not_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    bomb = pickle.dumps(Calls(os.system, f"touch {trace}"))
    for kind, code in ((b"O", "|O"), (b"O", "O"), (b"V", [["a", "|O"]]), (b"V", "V8"), (b"", "M8[s]")):
        held = {b"nd": True, b"type": code, b"kind": kind, b"shape": [1], b"data": bomb}
        assert refused(msgpack.packb({"uid": "u", "time": held}), b"start") == "unsafe"
    assert not trace.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.zeros(2, dtype=[("a", "i4"), ("b", "O")]),
        np.zeros(2, dtype=[("a", "i4")]),
        np.ma.masked_array([1, 2]),
        np.array(["2026-01-01"], "M8[D]"),
        {1, 2},
        frozenset((1, 2)),
        bytearray(b"x"),
        1j,
        Path("/etc/passwd"),
        dt.timedelta(1),
        range(3),
        Calls(_STAND_INS.__class__, ()),
        10**40,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_what_is_not_plain_is_refused(value: Any, protocol: int) -> None:
    assert (
        refused(pickle.dumps({"uid": "u", "time": 1.0, "x": value}, protocol=protocol), b"start") in REASONS
    )


def test_a_stand_in_cannot_be_changed_by_a_pickle() -> None:
    """BUILD sets attributes of what it finds, unless that refuses; it would last for all documents."""
    before = {name: type(one) for name, one in _STAND_INS.items()}
    for module, name in (("numpy", "dtype"), ("collections", "OrderedDict"), ("ophyd.x", "Y")):
        head = b"\x80\x04" + b"\x8c" + bytes([len(module)]) + module.encode()
        head += b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93"
        for state in ({"__call__": 1, "x": 1}, ({"x": 1}, {"__doc__": "changed"}), 7):
            assert refused(head + pickle.dumps(state, protocol=4)[2:-1] + b"b.") in REASONS
    assert {name: type(one) for name, one in _STAND_INS.items()} == before
    assert decode(b" start " + pickle.dumps({"uid": "u", "time": np.float64(1)}))[1]["time"] == 1.0


def test_few_bytes_do_not_become_gigabytes() -> None:
    memo = b"\x80\x04N" + b"r" + struct.pack("<I", 2**30 - 1) + b"."
    frame = b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N."
    long_bytes = b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x."
    long_text = b"\x80\x04\x8d" + struct.pack("<Q", 2**33) + b"x."
    buffer = b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x."
    shared = (
        b"\x80\x04]\x94" + b"".join(b"]\x94(" + (b"h" + bytes([n])) * 50 + b"e" for n in range(12)) + b"."
    )  # each list holds the one before fifty times: 50**12 values when written out
    array_map = b"\xdd" + struct.pack(">I", 2**32 - 1)
    tracemalloc.start()
    try:
        for payload in (memo, frame, long_bytes, long_text, buffer, shared, b"\x81\xa1x" + array_map):
            refused(payload)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_memos_and_shares_do_not_multiply(protocol: int) -> None:
    """What is shared in a pickle is small; written out in full it would be ten to the power of levels."""
    level: Any = "x" * 50
    for _ in range(9):
        level = [level] * 10
    maps: Any = {"x": 1}
    for _ in range(9):
        maps = {f"{key}": maps for key in range(10)}
    for value in (level, maps, (level, maps)):
        payload = pickle.dumps({"uid": "u", "time": 1.0, "x": value}, protocol=protocol)
        assert len(payload) < 5000
        assert refused(payload, b"start") == "too_large"


def test_arrays_that_say_more_than_they_hold_are_refused() -> None:
    """Sizes that do not fit the bytes, that overflow, or that a product of zero hides."""
    pixels = np.zeros((4, 4), "u2")
    honest = pickle.dumps({"uid": "u", "time": 1.0, "x": pixels}, protocol=4)
    assert honest.count(b"K\x04K\x04\x86") == 1
    for shape in (b"K\x04K\x05\x86", b"K\x04J\xff\xff\xff\xff\x86", b"K\x00J\xff\xff\xff\x7f\x86", b"N"):
        refused(honest.replace(b"K\x04K\x04\x86", shape), b"start")
    for held in (
        {b"nd": True, b"type": "<u2", b"shape": [2**62, 4], b"data": b""},
        {b"nd": True, b"type": "<u2", b"shape": [0, 2**39, 2**39], b"data": b"x"},
        {b"nd": True, b"type": "<u2", b"shape": [1] * 9, b"data": b"xx"},
        {b"nd": True, b"type": "<u2", b"shape": [-1], b"data": b"xx"},
        {b"nd": True, b"type": "<u2", b"shape": "11", b"data": b"xx"},
        {b"nd": True, b"type": "<U999999", b"shape": [1], b"data": b"xxxx"},
        {b"nd": False, b"type": "<f8", b"data": b"x"},
        {b"nd": True, b"type": ["<u2"], b"shape": [1], b"data": b"xx"},
        {b"nd": True, b"type": "(2,)u2", b"shape": [1], b"data": b"xxxx"},
    ):
        assert refused(msgpack.packb({"uid": "u", "time": 1.0, "x": held}), b"start") in REASONS


def test_a_message_over_the_limit_is_refused_unread() -> None:
    class Unreadable(bytes):
        def __getitem__(self, place: Any) -> Any:
            raise AssertionError("it was looked at")

    with pytest.raises(BadDocument) as refusal:
        decode(Unreadable(1001), DecodeLimits(message_bytes=1000))
    assert reason_of(refusal.value) == "too_large"


def test_what_contains_itself_or_is_very_deep_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    assert refused(pickle.dumps({"uid": "u", "time": 1.0, "x": cycle}), b"start") == "unsafe"
    assert refused(b"\x81\xa1x" + b"\x91" * 1000 + b"\xc0") in REASONS
    assert refused(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}") == "undecodable"
    assert refused(b"\x80\x04" + b"]" + b"]" * 50_000 + b"a" * 50_000 + b".") in REASONS


_DEEP_KEY = """
from streamlcn.documents import decode
from streamlcn.errors import BadDocument
payload = b"\\x80\\x04})" + b"\\x85" * 190_000 + b"Ns."
try:
    decode(b" event " + payload)
except BadDocument as error:
    print(error.reason)
"""


def test_a_key_nested_so_deep_that_its_hash_overflows_the_stack_is_refused() -> None:
    """190 kB that kill any process that unpickles them; in a process of its own, should that happen again."""
    found = subprocess.run(
        [sys.executable, "-c", _DEEP_KEY], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout.strip()) == (0, "unsafe"), found.stderr


@pytest.mark.parametrize("message", GARBAGE)
def test_garbage_is_refused(message: bytes) -> None:
    with pytest.raises(BadDocument) as refusal:
        decode(message)
    assert reason_of(refusal.value) in REASONS


def messages() -> list[bytes]:
    documents = [*recorded("anatomix", "inline", "fly"), *recorded("hex", "stream", "fly")]
    return [
        b" " + name.encode() + b" " + encode(document)
        for name, document in documents
        for encode in CODECS.values()
    ]


def decodes_or_is_refused(message: bytes) -> bool:
    try:
        name, document = decode(message)
    except BadDocument as error:
        if reason_of(error) not in REASONS:
            raise
        return False
    assert isinstance(name, str)
    assert type(document) is dict
    return True


def test_every_truncation_is_refused_or_still_a_document() -> None:
    generator = random.Random(1)
    good = 0
    for message in messages():
        for end in {*range(40), *(generator.randrange(len(message)) for _ in range(20))}:
            good += decodes_or_is_refused(message[:end])
    assert good == 0


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_bytes_are_refused_or_still_a_document(data: st.DataObject) -> None:
    message = bytearray(data.draw(st.sampled_from(messages())))
    for _ in range(data.draw(st.integers(1, 8))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    decodes_or_is_refused(bytes(message))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x80\x04.")
@example(b"\x80\x05}.")
def test_any_bytes_are_refused_or_a_document(payload: bytes) -> None:
    for head in (b"", b" event ", b" event \x80\x04", b" start \x81", b" stop {"):
        decodes_or_is_refused(head + payload)


@pytest.mark.slow
def test_many_changed_messages() -> None:
    """Half a million, seeded: bytes flipped, cut, doubled and spliced with those of other messages."""
    generator = random.Random(20261124)
    corpus = messages()
    good = 0
    for _ in range(500_000):
        message = bytearray(generator.choice(corpus)[:2000])
        for _ in range(generator.randint(1, 6)):
            place = generator.randrange(len(message) + 1)
            match generator.randrange(4):
                case 0 if place < len(message):
                    message[place] = generator.randrange(256)
                case 1:
                    del message[place : place + generator.randrange(9)]
                case 2:
                    message[place:place] = message[place : place + generator.randrange(50)]
                case _:
                    other = generator.choice(corpus)
                    start = generator.randrange(len(other))
                    message[place:place] = other[start : start + generator.randrange(50)]
            message = message or bytearray(b" ")
        good += decodes_or_is_refused(bytes(message))
    assert good > 1000  # not every change matters; most do
