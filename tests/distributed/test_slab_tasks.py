"""A task is a function of files: any rows, any strides, any number of times, in any process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlcn.distributed import _tasks
from streamlcn.distributed._files import STEP, keep_lines, read_rows, write_array
from streamlcn.distributed._growing import GrowingSlabs
from streamlcn.distributed._jobs import Done, GrowJob, Plane, made_with
from streamlcn.distributed._tasks import grow
from streamlcn.reconstruction._accumulator import Projected
from streamlcn.reconstruction._devices import make_accumulator
from streamlcn.reconstruction.settings import FbpSettings
from tests.recorder import passing_folder

ROWS, COLUMNS, COUNT, CENTRE, SCALE = 83, 20, 30, 9.7, 0.125
METHOD = FbpSettings(device="cpu", threads=1, batch=7)
LINES = np.random.default_rng(0).normal(size=(COUNT, ROWS, COLUMNS)).astype(np.float32)
ANGLES = np.arange(COUNT) * np.pi / COUNT
WEIGHTS = np.where(np.arange(COUNT) % 5 == 0, 0.5, 1.0)


@cache
def folder() -> Path:
    """Return a folder with the scan's lines and steps."""
    made = passing_folder("slabs")
    names = [keep_lines(made, lines) for lines in LINES]
    write_array(made / "steps.npy", np.array(list(zip(names, ANGLES, WEIGHTS, strict=True)), STEP))
    return made


@cache
def whole() -> npt.NDArray[np.float32]:
    """Return the volume (z, y, x) that one process makes."""
    volume = make_accumulator(METHOD, "cpu", (ROWS, COLUMNS), CENTRE, 1)
    steps = zip(LINES, ANGLES.tolist(), WEIGHTS.tolist(), strict=True)
    volume.add([Projected(lambda each=lines: each, angle, weight) for lines, angle, weight in steps])
    voxels = volume.slab(0, ROWS, SCALE)
    volume.close()
    return voxels


def run(count: int, first: int, last: int, *, out: str | None = None, plane: Plane | None = None) -> Done:
    return grow(
        GrowJob(
            made_with=made_with(), folder=folder(), attempt="a", steps="steps.npy", count=count, first=first,
            last=last, columns=COLUMNS, centre=CENTRE, method=METHOD, out=out, plane=plane, scale=SCALE,
        )
    )  # fmt: skip


@settings(max_examples=25)
@given(data=st.data())
def test_any_rows_in_any_strides_are_those_of_the_whole(data: st.DataObject) -> None:
    first = data.draw(st.integers(0, ROWS - 1))
    last = data.draw(st.integers(first + 1, ROWS))
    _tasks._SLABS = GrowingSlabs()
    for count in data.draw(st.lists(st.integers(0, COUNT), max_size=4)):  # back as well: a task run again
        run(count, first, last)
    run(COUNT, first, last, out="slab.npy")
    assert np.array_equal(read_rows(folder() / "slab.npy", 0, last - first), whole()[first:last])


@pytest.mark.parametrize(("axis", "index"), [(0, 3), (1, 11), (2, 4)])
def test_planes_are_those_of_the_whole(axis: int, index: int) -> None:
    run(COUNT, 10, 30, out="plane.npy", plane=Plane(axis=axis, index=index))
    found = np.load(folder() / "plane.npy")
    assert np.array_equal(found, whole()[10:30].take(index, axis=axis))


def test_what_is_there_is_not_done_again() -> None:
    _tasks._SLABS = GrowingSlabs()
    assert [run(count, 0, 9).steps for count in (10, 10, 25, 4)] == [10, 0, 15, 4]


def test_a_slab_that_failed_half_way_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _tasks._SLABS = GrowingSlabs()
    run(10, 0, 9)
    left = 3  # the steps, two projections, and no more

    def failing(path: Path, first: int, last: int) -> npt.NDArray[np.float32]:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError("the file system went away")
        return read_rows(path, first, last)

    monkeypatch.setattr(_tasks, "read_rows", failing)
    with pytest.raises(OSError, match="went away"):
        run(20, 0, 9)
    monkeypatch.undo()
    run(COUNT, 0, 9, out="slab.npy")
    assert np.array_equal(np.load(folder() / "slab.npy"), whole()[:9])


def test_room_is_made_for_a_slab_by_forgetting_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlcn.distributed import _growing

    monkeypatch.setattr(_growing, "_memory_of", lambda _: 2.5 * 4 * 16 * COLUMNS**2 / _growing._SHARE)
    _tasks._SLABS = GrowingSlabs()
    for first in (0, 10, 20):  # slabs of 16 slices each in memory, and room for two
        run(COUNT, first, first + 10)
    assert [run(COUNT, first, first + 10).steps for first in (20, 10)] == [0, 0]
    assert run(COUNT, 0, 10).steps == COUNT
