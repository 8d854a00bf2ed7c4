"""Pages are several documents in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamlcn.documents._schema import checked

__all__ = ["singles"]


def singles(name: str, document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the events of an event_page and the datums of a datum_page; other documents as they are.

    Raises `BadDocument` for a row that is none.
    """
    if name == "event_page":
        for row, uid in enumerate(document["uid"]):
            event = {
                "uid": uid,
                "descriptor": document["descriptor"],
                "seq_num": document["seq_num"][row],
                "time": document["time"][row],
                "data": {key: column[row] for key, column in document["data"].items()},
                "timestamps": {key: column[row] for key, column in document["timestamps"].items()},
            }
            yield "event", checked("event", event)
    elif name == "datum_page":
        for row, datum_id in enumerate(document["datum_id"]):
            yield (
                "datum",
                {
                    "datum_id": datum_id,
                    "resource": document["resource"],
                    "datum_kwargs": {key: column[row] for key, column in document["datum_kwargs"].items()},
                },
            )
    else:
        yield name, document
