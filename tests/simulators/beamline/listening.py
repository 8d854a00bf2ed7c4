"""What a subscriber to a beamline's documents needs: a socket, a decoder, a finder of frames."""

from __future__ import annotations

import json
import pickle
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import h5py
import msgpack
import msgpack_numpy
import numpy as np
import zmq

from simulators.publisher import DocumentPublisher

PATIENCE_MS = 100_000
SMALL = ("--size", "tiny", "--seed", "3", "--projections", "8", "--darks", "2", "--flats", "3")


@dataclass(frozen=True)
class Addresses:
    """A proxy's two sides."""

    inward: str
    outward: str


class Listener:
    """A subscriber that misses nothing: its buffer has no end, and it hears the proxy before a test."""

    def __init__(self, addresses: Addresses) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.subscribe(b"")
        self._socket.connect(addresses.outward)
        with DocumentPublisher(addresses.inward) as publisher:
            publisher.wait_until_heard()
            while not self._socket.poll(20):
                publisher.send_raw(b"probe")
            publisher.send_raw(b"last probe")
        while self._receive() != b"last probe":
            pass

    def messages_until_stops(self, uids: list[str]) -> list[bytes]:
        """Return all messages up to the stop documents of all runs (of the pickle codec)."""
        messages, open_runs = [], set(uids)
        while open_runs:
            messages.append(self._receive())
            name, document = decoded(messages[-1], "pickle")
            if name == "stop":
                open_runs.discard(document["run_start"])
        return messages

    def messages(self, count: int) -> list[bytes]:
        """Return the next messages."""
        return [self._receive() for _ in range(count)]

    def rest(self, quiet_ms: int = 300) -> list[bytes]:
        """Return what comes until nothing has come for a while."""
        messages = []
        while self._socket.poll(quiet_ms):
            messages.append(self._socket.recv())
        return messages

    def close(self) -> None:
        """Close the socket."""
        self._socket.close(linger=0)
        self._context.term()

    def _receive(self) -> bytes:
        if not self._socket.poll(PATIENCE_MS):
            raise TimeoutError("no further message")
        return self._socket.recv()


def decoded(message: bytes, codec: str) -> tuple[str, Any]:
    """Return a document's name and content; the message is our own, so it may be unpickled."""
    _, name, payload = message.split(b" ", 2)
    decode = {
        "pickle": pickle.loads,  # noqa: TID251  documents of a publisher that this test has started
        "msgpack": lambda data: msgpack.unpackb(data, object_hook=msgpack_numpy.decode, strict_map_key=False),
        "json": json.loads,
    }[codec]
    return name.decode(), decode(payload)


@dataclass
class Frames:
    """One stream's frames as its documents tell them, in the order of their events."""

    pixels: list[np.ndarray] = field(default_factory=list)
    rotation_deg: list[float] = field(default_factory=list)


class Reader:
    """Follows the references of documents to the pixels, by the documents' definition."""

    def __init__(self, documents: list[tuple[str, Any]]) -> None:
        self.starts = [doc for name, doc in documents if name == "start"]
        self.stops = [doc for name, doc in documents if name == "stop"]
        self.streams: dict[str, Frames] = defaultdict(Frames)
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._descriptors: dict[str, Any] = {}
        self._resources: dict[str, Any] = {}
        self._datums: dict[str, Any] = {}
        for name, document in documents:
            getattr(self, f"_{name}")(document)

    def _start(self, document: Any) -> None:
        pass

    def _stop(self, document: Any) -> None:
        pass

    def _descriptor(self, document: Any) -> None:
        self._descriptors[document["uid"]] = document

    def _resource(self, document: Any) -> None:
        self._resources[document["uid"]] = document

    _stream_resource = _resource

    def _datum(self, document: Any) -> None:
        self._datums[document["datum_id"]] = document

    def _event_page(self, page: Any) -> None:
        for row, seq_num in enumerate(page["seq_num"]):
            data = {key: values[row] for key, values in page["data"].items()}
            timestamps = {key: values[row] for key, values in page["timestamps"].items()}
            event = {"seq_num": seq_num, "data": data, "timestamps": timestamps}
            self._event({**event, "descriptor": page["descriptor"]})

    def _event(self, document: Any) -> None:
        descriptor = self._descriptors[document["descriptor"]]
        stream = self.streams[descriptor["name"]]
        self.events[descriptor["name"]].append(document)
        for key, value in document["data"].items():
            shape = descriptor["data_keys"][key]["shape"]
            if descriptor["data_keys"][key].get("external") == "FILESTORE:":
                stream.pixels.extend(self._datum_frames(value))
            elif len(shape) >= 2:
                assert list(np.shape(value)) == list(shape)
                stream.pixels.extend(np.reshape(value, (-1, *shape[-2:])))
            elif key in ("rotation", "theta"):
                stream.rotation_deg.append(value)

    def _datum_frames(self, datum_id: str) -> np.ndarray:
        datum = self._datums[datum_id]
        resource = self._resources[datum["resource"]]
        assert resource["spec"] == "AD_HDF5"
        each = resource["resource_kwargs"]["frame_per_point"]
        first = datum["datum_kwargs"]["point_number"] * each
        with h5py.File(Path(resource["root"]) / resource["resource_path"]) as file:
            return file["/entry/data/data"][first : first + each]

    def _stream_datum(self, document: Any) -> None:
        resource = self._resources[document["stream_resource"]]
        descriptor = self._descriptors[document["descriptor"]]
        each = descriptor["data_keys"][resource["data_key"]]["shape"][0]
        indices, seq_nums = document["indices"], document["seq_nums"]
        assert indices["stop"] - indices["start"] == seq_nums["stop"] - seq_nums["start"]
        with h5py.File(urlparse(resource["uri"]).path) as file:
            found = file[resource["parameters"]["dataset"]][indices["start"] * each : indices["stop"] * each]
        stream = self.streams[descriptor["name"]]
        if found.ndim == 1:
            stream.rotation_deg.extend(found.tolist())
        else:
            stream.pixels.extend(found)
