"""The publisher speaks bluesky's wire format and sends nothing before somebody hears it."""

from __future__ import annotations

import numpy as np
import pytest
import zmq
from bluesky.callbacks.zmq import Publisher
from listening import decoded

from simulators.codecs import CODECS
from simulators.publisher import DocumentPublisher, NoProxy

DOCUMENT = {
    "uid": "u",
    "data": {"image": np.arange(12, dtype=np.uint16).reshape(3, 4), "value": np.float64(0.1), "flag": True},
    "timestamps": {"image": 1.5},
    "shape": (3, 4),
}


def test_bytes_are_those_of_bluesky_s_publisher(proxy, listener):
    with DocumentPublisher(proxy.inward, prefix=b"beamline") as publisher:
        publisher.wait_until_heard()
        publisher("event", DOCUMENT)
    (ours,) = listener.messages(1)
    stock = Publisher(proxy.inward.removeprefix("tcp://"), prefix=b"beamline")
    while not (found := listener.rest(quiet_ms=20)):  # bluesky's publisher cannot tell when it is heard
        stock("event", DOCUMENT)
    stock.close()
    assert ours == found[0]


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_documents_survive(proxy, listener, codec):
    with DocumentPublisher(proxy.inward, encode=CODECS[codec]) as publisher:
        publisher.wait_until_heard()
        publisher("event", DOCUMENT)
    name, document = decoded(listener.messages(1)[0], codec)
    assert name == "event"
    np.testing.assert_array_equal(document["data"]["image"], DOCUMENT["data"]["image"])
    assert document["data"]["value"] == 0.1
    assert document["data"]["flag"] is True
    assert list(document["shape"]) == [3, 4]


def test_msgpack_keeps_dtypes_and_json_does_not(proxy, listener):
    for codec, dtype in (("msgpack", np.uint16), ("json", None)):
        with DocumentPublisher(proxy.inward, encode=CODECS[codec]) as publisher:
            publisher.wait_until_heard()
            publisher("event", DOCUMENT)
        _, document = decoded(listener.messages(1)[0], codec)
        assert getattr(document["data"]["image"], "dtype", None) == dtype


@pytest.mark.parametrize("strange", [np.zeros((4, 4))[::2, ::2], np.array(["a"]), np.uint8(3)])
def test_json_takes_whatever_devices_put_into_documents(strange):
    assert decoded(b" event " + CODECS["json"]({"value": strange}), "json")[1]["value"] == strange.tolist()


def test_json_refuses_what_is_no_data():
    with pytest.raises(TypeError, match="not JSON serializable: object"):
        CODECS["json"]({"value": object()})


def test_ten_thousand_documents_right_after_connecting_all_arrive(proxy, listener):
    # the proxy and its buffers hold about 3000 messages: the subscriber reads while they come
    with DocumentPublisher(proxy.inward) as publisher:
        publisher.wait_until_heard()
        numbers = []
        for block in range(20):
            for number in range(500):
                publisher("event", {"number": 500 * block + number})
            numbers += [decoded(message, "pickle")[1]["number"] for message in listener.messages(500)]
    assert numbers == list(range(10_000))


def test_nobody_at_the_address():
    with (
        DocumentPublisher("tcp://127.0.0.1:1") as publisher,
        pytest.raises(NoProxy, match="no 0MQ proxy answers"),
    ):
        publisher.wait_until_heard(0.3)


def test_somebody_who_does_not_subscribe():
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    try:
        with DocumentPublisher(address) as publisher, pytest.raises(NoProxy, match="subscribes to nothing"):
            publisher.wait_until_heard(0.5)
    finally:
        socket.close(linger=0)
        context.term()


@pytest.mark.parametrize("address", ["127.0.0.1:5577", "tcp://", "nonsense"])
def test_an_address_that_is_none(address):
    with pytest.raises(ValueError, match="tcp://HOST:PORT"):
        DocumentPublisher(address)


def test_a_prefix_with_a_space():
    with pytest.raises(ValueError, match="space"):
        DocumentPublisher("tcp://127.0.0.1:1", prefix=b"a b")
