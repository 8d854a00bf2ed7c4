"""A document comes out of its message as it went in, whichever way it was encoded."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ophyd_async.core import DetectorTrigger
from recording import recorded

from simulators.codecs import CODECS
from streamlcn.documents import decode, encode, reason_of
from streamlcn.documents.settings import DecodeLimits
from streamlcn.errors import BadDocument

EVENT: dict[str, Any] = {
    "uid": "e",
    "descriptor": "d",
    "seq_num": 1,
    "time": 1.5,
    "data": {},
    "timestamps": {},
}
DESCRIPTOR: dict[str, Any] = {"uid": "d", "run_start": "r", "name": "p", "data_keys": {}}
STREAM_DATUM: dict[str, Any] = {
    "uid": "s", "stream_resource": "r", "descriptor": "d", "indices": {"start": 0, "stop": 1},
}  # fmt: skip
RUNS = [("anatomix", "inline", "fly"), ("anatomix", "resource", "step"), ("hex", "stream", "fly")]


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def message(name: str, payload: bytes) -> bytes:
    return b" " + name.encode() + b" " + payload


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("run", RUNS)
def test_documents_of_real_devices_survive_pickle(run: tuple[str, str, str], protocol: int) -> None:
    for name, document in recorded(*run):
        told = decode(message(name, pickle.dumps(document, protocol=protocol)))
        assert told[0] == name
        assert is_same(document, told[1])


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_documents_of_real_devices_survive_other_codecs(run: tuple[str, str, str], codec: str) -> None:
    for name, document in recorded(*run):
        told = decode(message(name, CODECS[codec](document)))[1]
        if codec == "json":  # arrays are lists there
            told = decode(message(name, CODECS[codec](told)))[1]
            assert told.keys() == document.keys()
        else:
            assert is_same(document, told)


def test_our_own_encoding_survives() -> None:
    document = {
        **EVENT,
        "data": {"a": np.arange(6, dtype=">i4").reshape(2, 3), "b": np.float32(2.5), "c": "x"},
    }
    for prefix in (b"", b"beamline"):
        name, told = decode(encode("event", document, prefix=prefix))
        assert name == "event"
        assert is_same(document, told)
    assert decode(encode("event", document, codec="json"))[1]["data"]["a"] == [[0, 1, 2], [3, 4, 5]]


@given(
    hnp.arrays(
        st.sampled_from(["<u2", ">f4", "<i8", "?", "<c8", "S3", "<U2", "u1"]),
        hnp.array_shapes(min_dims=0, max_dims=4, max_side=4),
    ),
    st.sampled_from([3, 4, 5]),
    st.booleans(),
)
def test_any_plain_array_survives(array: np.ndarray, protocol: int, is_fortran: bool) -> None:
    array = np.asfortranarray(array) if is_fortran else array
    for payload in (
        pickle.dumps({**EVENT, "data": {"a": array}}, protocol=protocol),
        CODECS["msgpack"]({**EVENT, "data": {"a": array}}),
    ):
        told = decode(message("event", payload))[1]["data"]["a"]
        assert told.dtype == array.dtype
        assert told.shape == array.shape
        assert told.tobytes() == array.tobytes()


def test_pixels_are_views_that_nobody_can_change() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    told = decode(message("event", pickle.dumps({**EVENT, "data": {"a": pixels}})))[1]["data"]["a"]
    assert not told.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        told[0, 0] = 1


def test_enums_of_device_packages_become_their_values() -> None:
    assert issubclass(DetectorTrigger, Enum)
    document = {
        "uid": "d", "run_start": "r", "name": "primary", "data_keys": {},
        "configuration": OrderedDict(camera={"data": {"trigger": DetectorTrigger.INTERNAL}}),
    }  # fmt: skip
    told = decode(message("descriptor", pickle.dumps(document)))[1]
    assert told["configuration"]["camera"]["data"]["trigger"] == DetectorTrigger.INTERNAL.value
    assert type(told["configuration"]["camera"]["data"]["trigger"]) is str


@pytest.mark.parametrize(
    ("name", "document", "said"),
    [
        ("start", {"time": 1.0}, "'uid'"),
        ("start", {"uid": "", "time": 1.0}, "'uid'"),
        ("start", {"uid": "u", "time": "now"}, "'time'"),
        ("descriptor", {**DESCRIPTOR, "data_keys": {"a": {"shape": [-1, 2]}}}, "data_keys"),
        ("event", {**EVENT, "seq_num": 0}, "seq_num"),
        ("event", {**EVENT, "seq_num": 2**40}, "seq_num"),
        ("event", {**EVENT, "seq_num": True}, "seq_num"),
        ("event", {**EVENT, "data": []}, "data"),
        ("stream_datum", {**STREAM_DATUM, "seq_nums": {"start": 2, "stop": 1}}, "seq_nums"),
        ("event_page", {**EVENT, "uid": ["a", "b"], "seq_num": [1, 2], "time": [0, 0], "data": {"x": [1]}},
         "rows"),
        ("stop", {"uid": "s", "run_start": "r"}, "exit_status"),
        ("nonsense", {}, "nonsense"),
    ],
)  # fmt: skip
def test_a_document_without_what_connects_it_is_refused(
    name: str, document: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadDocument, match=said) as refusal:
        decode(encode(name, document))
    assert reason_of(refusal.value) == "invalid"


def test_limits_hold() -> None:
    small = DecodeLimits(message_bytes=200, values=50, pickle_opcodes=30)
    for payload in (
        CODECS["msgpack"]({**EVENT, "data": {"a": "x" * 300}}),
        CODECS["json"]({**EVENT, "data": {"a": list(range(60))}}),
        pickle.dumps({**EVENT, "data": {"a": [None] * 40}}),
    ):
        decode(message("event", payload))
        with pytest.raises(BadDocument) as refusal:
            decode(message("event", payload), small)
        assert reason_of(refusal.value) == "too_large"
