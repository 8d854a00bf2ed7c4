"""Documents that decode well and make no sense: the assembler never raises and never leaves a scan open."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from beamlines import settings_for
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import Documents, recorded
from test_order import NOW, law

from streamlcn.documents import Assembler
from streamlcn.model import ScanUpdate

RUNS = [
    ("anatomix", "inline", "step"), ("anatomix", "resource", "step"), ("anatomix", "stream", "fly"),
    ("fxi", "inline", "fly"), ("hex", "stream", "fly"),
]  # fmt: skip
WORDS = [
    "", "x", "dark", "flat", "primary", "camera", "camera_image", "STREAM:", "FILESTORE:", "file:///tmp/x",
    "AD_HDF5", "application/x-hdf5", "rotation", "\x00", "\ud800", "9" * 400,
]  # fmt: skip
KEYS = ["start", "stop", "shape", "external", "camera", "dark", "frame_per_point", "dataset", "primary"]
NUMBERS = [0, 1, -1, 3, 2**31, 2**63, -(2**63), 0.5, math.nan, math.inf, -math.inf, True, np.float32(2),
           np.int8(-3), np.bool_(True), np.complex64(1)]  # fmt: skip
ARRAYS = [np.zeros((6, 8), "u2"), np.zeros(0), np.zeros(()), np.zeros((2, 0, 3)), np.array("x"),
          np.arange(9.0), np.zeros((9, 6, 8), "c8"), np.array([b"ab"])]  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.sampled_from([*WORDS, *NUMBERS]) | st.integers(0, len(ARRAYS) - 1).map(ARRAYS.__getitem__),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)


def survives(plan: str, documents: Documents) -> list[ScanUpdate]:
    """Hand over documents, then let time pass; returns the updates, which obey the law."""

    def read_values(values: Any) -> list[float]:
        return [0.0] * min(values.stop - values.start, 50)

    assembler = Assembler(settings_for(plan), read_values=read_values)
    updates = [one for name, document in documents for one in assembler.handle(name, document, NOW)]
    updates += assembler.expire(NOW + 3) + assembler.expire(NOW + 1000)
    law(updates)
    assert assembler.state.scans == ()
    assert "unexpected" not in assembler.state.rejected
    return updates


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_well_formed_but_insane_documents_never_crash(data: st.DataObject) -> None:
    run = data.draw(st.sampled_from(RUNS))
    documents = recorded(*run)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(documents) - 1))
        name, document = documents[place]
        key = data.draw(st.sampled_from([*document, "num_events", "data", "extra"]))
        documents[place] = (name, {**document, key: data.draw(_VALUES)})
    survives(run[0], documents)


def changed_somewhere(value: Any, generator: random.Random) -> Any:
    """A copy of ``value`` in which one part, however deep, is another."""
    if isinstance(value, dict) and value and generator.random() < 0.8:
        key = generator.choice(list(value))
        if generator.random() < 0.1:
            return {found: part for found, part in value.items() if found != key}
        return {**value, key: changed_somewhere(value[key], generator)}
    if isinstance(value, list) and value and generator.random() < 0.5:
        place = generator.randrange(len(value))
        return [*value[:place], changed_somewhere(value[place], generator), *value[place + 1 :]]
    return insane(generator, 0)


def insane(generator: random.Random, depth: int) -> Any:
    """Any value that the decoder lets through."""
    match generator.randrange(6 if depth < 3 else 4):
        case 0:
            return generator.choice(WORDS)
        case 1:
            return generator.choice(NUMBERS)
        case 2:
            return generator.choice(ARRAYS)
        case 3:
            return None
        case 4:
            return [insane(generator, depth + 1) for _ in range(generator.randrange(4))]
        case _:
            return {
                generator.choice(KEYS): insane(generator, depth + 1) for _ in range(generator.randrange(4))
            }


@pytest.mark.slow
def test_many_insane_runs() -> None:
    """Twenty thousand runs, seeded: up to four documents changed, some lost, doubled or out of order."""
    generator = random.Random(20261126)
    recordings = [(run[0], recorded(*run)) for run in RUNS]
    whole = 0
    for _ in range(20_000):
        plan, original = generator.choice(recordings)
        documents = list(original)
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(documents))
            name, document = documents[place]
            match generator.randrange(8):
                case 0 if len(documents) > 1:
                    del documents[place]
                case 1:
                    documents.insert(generator.randrange(len(documents)), documents[place])
                case 2:
                    documents.insert(generator.randrange(len(documents)), documents.pop(place))
                case _:
                    changed = changed_somewhere(document, generator)
                    documents[place] = (name, changed if isinstance(changed, dict) else {})
        ends = [one for one in survives(plan, documents) if hasattr(one, "completeness")]
        whole += bool(ends) and ends[-1].completeness.is_complete
    assert 2000 < whole < 19_000  # most changes matter, not all
