"""Files that several computers see: whole or not there, and never outside their folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlcn.distributed._files import (
    checksum,
    keep_lines,
    make_scan_dir,
    name_of,
    read_rows,
    write_array,
)

LINES = np.arange(60, dtype=np.float32).reshape(4, 15)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    name = keep_lines(tmp_path, LINES)
    assert keep_lines(tmp_path, LINES.copy()) == name
    assert keep_lines(tmp_path, -LINES) != name
    assert np.array_equal(read_rows(tmp_path / name, 1, 3), LINES[1:3])
    assert checksum(read_rows(tmp_path / name, 0, 4)) == checksum(LINES)
    assert checksum(LINES[:, ::2]) == checksum(LINES[:, ::2].copy())


def test_a_file_cut_short_is_said(tmp_path: Path) -> None:
    path = tmp_path / "lines.npy"
    write_array(path, LINES)
    os.truncate(path, path.stat().st_size - 1)
    assert np.array_equal(read_rows(path, 0, 3), LINES[:3])
    with pytest.raises(OSError, match="ends before row 4"):
        read_rows(path, 3, 4)


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "objects.npy", np.array([object()]))
    assert list(tmp_path.iterdir()) == []


@given(uid=st.text(min_size=1) | st.just("\ud800/../.."))
def test_no_uid_leads_out_of_the_folder(uid: str) -> None:
    shared = Path("/shared")
    assert Path(os.path.normpath(shared / name_of(uid, "r"))).parent == shared
    assert len(name_of(uid, "r")) < 80


def test_folders_that_were_forgotten_go(tmp_path: Path) -> None:
    old, new = (make_scan_dir(tmp_path, name_of(uid, "r")) for uid in ("old", "new"))
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for folder in (old, foreign):
        os.utime(folder, (0, 0))
    make_scan_dir(tmp_path, name_of("newest", "r"))
    assert not old.exists()
    assert new.exists()
    assert foreign.exists()
