"""Documents from real bluesky proxies and publishers."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import msgpack_numpy
import orjson
import pytest
import zmq.auth
from bluesky.callbacks.zmq import Publisher
from proxies import a_proxy, nothing_more, received, until
from recording import recorded
from test_decode import is_same

from simulators.publisher import DocumentPublisher
from simulators.wire_faults import GARBAGE
from streamlcn.documents import ZmqSource
from streamlcn.documents.settings import ReceiveSettings
from streamlcn.errors import BadInput

SERIALIZERS = {
    "pickle": pickle.dumps,
    "msgpack": lambda document: msgpack.packb(document, default=msgpack_numpy.encode),
    "json": lambda document: orjson.dumps(
        document, option=orjson.OPT_SERIALIZE_NUMPY, default=lambda value: getattr(value, "value", str(value))
    ),
}


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[str, str]]:
    with a_proxy() as addresses:
        yield addresses


@pytest.fixture
def publisher(proxy: tuple[str, str]) -> Iterator[DocumentPublisher]:
    with DocumentPublisher(proxy[0]) as one:
        one.wait_until_heard()
        yield one


def listening(address: str, publisher: DocumentPublisher, **options: Any) -> ZmqSource:
    """A source that hears ``publisher``: subscriptions need a moment to travel to the proxy."""
    source = ZmqSource(address, **options)
    assert source.wait_ready(30.0)
    prefix = options.get("prefix", "")
    probe = b" ".join((prefix.encode(), b"start", orjson.dumps({"uid": "probe", "time": 0.0})))

    def hears() -> bool:
        publisher.send_raw(probe)
        return source.receive(0.02) is not None

    until(hears, "the subscription never reached the proxy")
    publisher.send_raw(probe.replace(b'"probe"', b'"last probe"'))
    found = source.receive(30.0)
    while found is not None and found[1]["uid"] != "last probe":
        found = source.receive(30.0)
    return source


def test_a_whole_run_comes_as_it_was_sent(proxy: tuple[str, str], publisher: DocumentPublisher) -> None:
    documents = recorded("anatomix", "inline", "step")
    with listening(proxy[1], publisher) as source:
        before = source.state
        for name, document in documents:
            publisher(name, document)
        found = received(source, len(documents))
        state = source.state
    assert [name for name, _ in found] == [name for name, _ in documents]
    assert all(is_same(one, other) for (_, one), (_, other) in zip(found, documents, strict=True))
    assert (state.is_connected, state.is_ready, state.connections, state.dropped) == (True, True, 1, 0)
    assert state.received["event"] == 14
    assert state.received_bytes - before.received_bytes > 14 * 6 * 8 * 2
    assert state.rejected == {}
    assert state.age_s((state.last_document_s or 0.0) + 3.0) == pytest.approx(3.0)


@pytest.mark.parametrize("codec", SERIALIZERS)
def test_the_stock_publisher_is_understood(
    proxy: tuple[str, str], publisher: DocumentPublisher, codec: str
) -> None:
    documents = recorded("anatomix", "inline", "step")
    stock = Publisher(proxy[0], prefix=b"lab", serializer=SERIALIZERS[codec])
    try:
        with listening(proxy[1], publisher, prefix="lab") as source:

            def is_heard() -> bool:
                stock("start", {"uid": "from stock", "time": 0.0})
                return source.receive(0.02) is not None

            until(is_heard, "the stock publisher never connected")
            for name, document in documents:
                stock(name, document)
            found = [one for one in received(source, 1) if one[1].get("uid") != "from stock"]
            while len(found) < len(documents):
                found += [one for one in received(source, 1) if one[1].get("uid") != "from stock"]
            assert [name for name, _ in found] == [name for name, _ in documents]
            assert [one["uid"] for _, one in found] == [one["uid"] for _, one in documents]
    finally:
        stock.close()


def test_only_the_prefix_s_own_documents_come(proxy: tuple[str, str], publisher: DocumentPublisher) -> None:
    start = orjson.dumps({"uid": "u", "time": 0.0})
    with listening(proxy[1], publisher, prefix="p05") as source, listening(proxy[1], publisher) as plain:
        for head in (b"p05 start ", b"p05b start ", b" start ", b"p0 start "):
            publisher.send_raw(head + start)
        assert [one[0] for one in received(source, 1)] == ["start"]
        assert [one[0] for one in received(plain, 1)] == ["start"]
        assert nothing_more(source)
        assert nothing_more(plain)
        assert source.state.rejected == plain.state.rejected == {}


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "tcp://127.0.0.1", "http://127.0.0.1:1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="give tcp://HOST:PORT"):
        ZmqSource(address)
    with pytest.raises(BadInput, match="holds a space"):
        ZmqSource("tcp://127.0.0.1:1", prefix="a b")
    assert not [thread for thread in threading.enumerate() if thread.name == "document-receiver"]


def test_a_proxy_that_restarts_is_found_again() -> None:
    with a_proxy() as (inward, outward):
        source = ZmqSource(outward)
        assert source.wait_ready(30.0)
    try:
        until(lambda: not source.state.is_connected, "the loss of the proxy was not noticed")
        assert not source.state.is_ready
        with a_proxy(inward, outward), DocumentPublisher(inward) as publisher:
            publisher.wait_until_heard()
            assert source.wait_ready(30.0)

            def hears() -> bool:
                publisher("start", {"uid": "after", "time": 0.0})
                return source.receive(0.02) is not None

            until(hears, "nothing came after the proxy's restart")
            assert source.state.connections == 2
            assert source.state.disconnections == 1
    finally:
        source.close()


def test_nobody_at_the_address_yet() -> None:
    with a_proxy() as (inward, outward):
        pass
    with ZmqSource(outward) as source:
        assert not source.wait_ready(0.1)
        assert source.receive(0.01) is None
        assert not source.state.is_connected
        with a_proxy(inward, outward):
            assert source.wait_ready(30.0)


def test_who_joins_late_gets_what_comes_from_then_on(
    proxy: tuple[str, str], publisher: DocumentPublisher
) -> None:
    documents = recorded("anatomix", "inline", "step")
    for name, document in documents[:7]:
        publisher(name, document)
    with listening(proxy[1], publisher) as source:
        for name, document in documents[7:]:
            publisher(name, document)
        found = received(source, len(documents) - 7)
    assert [one["uid"] for _, one in found] == [one["uid"] for _, one in documents[7:]]


def test_a_full_queue_blocks_and_loses_nothing(proxy: tuple[str, str], publisher: DocumentPublisher) -> None:
    settings = ReceiveSettings(queue_bytes=5000, overflow="block")
    with listening(proxy[1], publisher, settings=settings) as source:
        for number in range(300):
            publisher("start", {"uid": f"{number}", "time": 0.0, "text": "x" * 1000})
        until(lambda: source.state.queued_bytes > 3000, "the queue did not fill")
        assert source.state.queued_bytes <= 5000
        found = received(source, 300)
        assert [one["uid"] for _, one in found] == [f"{number}" for number in range(300)]
        assert source.state.dropped == 0


def test_a_full_queue_may_drop_the_newest_and_counts_them(
    proxy: tuple[str, str], publisher: DocumentPublisher
) -> None:
    settings = ReceiveSettings(queue_bytes=5000, overflow="drop")
    with listening(proxy[1], publisher, settings=settings) as source:
        for number in range(300):
            publisher("start", {"uid": f"{number}", "time": 0.0, "text": "x" * 1000})
        until(lambda: source.state.dropped + source.state.queued == 300, "not all came")
        kept = source.state.queued
        assert 0 < kept < 10
        assert [one["uid"] for _, one in received(source, kept)] == [f"{number}" for number in range(kept)]
        publisher("start", {"uid": "room again", "time": 0.0})
        assert received(source, 1)[0][1]["uid"] == "room again"


def test_one_message_larger_than_the_queue_still_comes(
    proxy: tuple[str, str], publisher: DocumentPublisher
) -> None:
    settings = ReceiveSettings(queue_bytes=100)
    with listening(proxy[1], publisher, settings=settings) as source:
        publisher("start", {"uid": "large", "time": 0.0, "text": "x" * 100_000})
        assert received(source, 1)[0][1]["uid"] == "large"


def test_garbage_is_counted_and_skipped(proxy: tuple[str, str], publisher: DocumentPublisher) -> None:
    settings = ReceiveSettings.model_validate({"limits": {"message_bytes": 100_000}})
    with listening(proxy[1], publisher, settings=settings) as source:
        for message in GARBAGE:
            publisher.send_raw(message)
        publisher("start", {"uid": "good", "time": 0.0})
        assert received(source, 1)[0][1]["uid"] == "good"
        rejected = source.state.rejected
        # what does not begin with the empty prefix's space is filtered by the proxy
        assert sum(rejected.values()) == sum(message.startswith(b" ") for message in GARBAGE)
        assert set(rejected) <= {"undecodable", "invalid", "unsafe", "too_large"}


def test_a_message_over_the_limit_ends_the_connection_not_the_source(
    proxy: tuple[str, str], publisher: DocumentPublisher
) -> None:
    """libzmq itself refuses it (MAXMSGSIZE) and connects anew: it is never held in memory."""
    settings = ReceiveSettings.model_validate({"limits": {"message_bytes": 100_000}})
    with listening(proxy[1], publisher, settings=settings) as source:
        publisher.send_raw(b" start " + b"x" * 2_000_000)
        until(lambda: source.state.disconnections == 1, "libzmq took it")

        def hears() -> bool:
            publisher("start", {"uid": "good", "time": 0.0})
            return source.receive(0.02) is not None

        until(hears, "nothing came after it")
        assert source.state.connections == 2


def test_raw_messages_are_those_that_decode(proxy: tuple[str, str], publisher: DocumentPublisher) -> None:
    with listening(proxy[1], publisher) as source:
        publisher.send_raw(b" start [1]")
        publisher("start", {"uid": "good", "time": 0.0})
        raw = source.receive_raw(30.0)
        assert raw == b" start " + pickle.dumps({"uid": "good", "time": 0.0})


@pytest.mark.parametrize("overflow", ["block", "drop"])
def test_closing_ends_the_thread_even_with_a_full_queue(
    proxy: tuple[str, str], publisher: DocumentPublisher, overflow: str
) -> None:
    settings = ReceiveSettings.model_validate({"queue_bytes": 100, "overflow": overflow})
    source = listening(proxy[1], publisher, settings=settings)
    for number in range(50):
        publisher("start", {"uid": f"{number}", "time": 0.0})
    until(lambda: source.state.queued, "nothing came")
    source.close()
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "document-receiver"]
    left = source.state.queued
    assert left > 0  # what was received can still be taken
    assert [source.receive(0.0) is not None for _ in range(left + 1)] == [True] * left + [False]


# CURVE


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("keys")
    for name in ("server", "client", "stranger"):
        zmq.auth.create_certificates(folder, name)
        (folder / f"{name}.key_secret").chmod(0o600)
    return folder


def curve(keys: Path, server: str = "server.key", client: str = "client.key_secret") -> ReceiveSettings:
    files = {"server_key_file": str(keys / server), "client_key_file": str(keys / client)}
    return ReceiveSettings.model_validate({"curve": files})


def test_a_secured_proxy_gives_documents_to_those_with_keys_only(keys: Path) -> None:
    documents = recorded("anatomix", "inline", "step")
    with (
        a_proxy(secret=keys / "server.key_secret") as (inward, outward),
        DocumentPublisher(inward) as publisher,
    ):
        publisher.wait_until_heard()
        with (
            ZmqSource(outward) as without,
            ZmqSource(outward, settings=curve(keys, server="stranger.key")) as wrong,
            listening(outward, publisher, settings=curve(keys)) as source,
        ):
            for name, document in documents:
                publisher(name, document)
            found = received(source, len(documents))
            assert all(is_same(one, other) for (_, one), (_, other) in zip(found, documents, strict=True))
            for outsider in (without, wrong):
                until(lambda one=outsider: one.state.failed_handshakes or one.state.disconnections, "let in")
                assert not outsider.state.is_ready
                assert nothing_more(outsider)


@pytest.mark.parametrize(
    ("server", "client", "said"),
    [
        ("nowhere.key", "client.key_secret", r"server_key_file: cannot use .*no such file"),
        ("server.key", "nowhere.key_secret", r"client_key_file: cannot use .*no such file"),
        ("server.key", "client.key", "holds no secret key"),
        ("text", "client.key_secret", "it holds no CURVE key"),
        ("server.key", "open.key_secret", "chmod 600"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_never_shown(
    keys: Path, server: str, client: str, said: str
) -> None:
    secret = (keys / "client.key_secret").read_text()
    (keys / "text").write_text("hello")
    (keys / "open.key_secret").write_text(secret)
    (keys / "open.key_secret").chmod(0o644)
    with pytest.raises(BadInput, match=said) as refusal:
        ZmqSource("tcp://127.0.0.1:1", settings=curve(keys, server, client))
    _, own = zmq.auth.load_certificate(keys / "client.key_secret")
    assert (own or b"").decode() not in str(refusal.value)
    assert (own or b"").decode() not in repr(curve(keys))
