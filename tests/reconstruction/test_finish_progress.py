"""What `finish` does after the last projection is told of, batch by batch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from phantoms import BONE, counts, line_integrals

from streamlcn.model import Frame, FrameKind, Scan
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor, make_reference
from streamlcn.reconstruction._accumulator import CpuAccumulator

COLUMNS, ROWS, COUNT, BATCH = 64, 3, 60, 7
ANGLES = np.arange(COUNT) * np.pi / COUNT
PROJECTIONS, FLATS, DARKS = counts(line_integrals(BONE, ANGLES, COLUMNS, 29.6, ROWS))


@pytest.mark.parametrize("rings", ["none", "mean"])
def test_a_volume_made_again_is_told_of_after_every_batch(
    monkeypatch: pytest.MonkeyPatch, rings: str
) -> None:
    done: list[int] = []  # projections between two words
    told: list[float] = []
    add = CpuAccumulator.add

    def counted(self: CpuAccumulator, projections: list[object]) -> None:
        done[-1] += len(projections)
        add(self, projections)  # type: ignore[arg-type]

    def tell(share: float) -> None:
        told.append(share)
        done.append(0)

    monkeypatch.setattr(CpuAccumulator, "add", counted)
    rules = ReconstructionSettings.model_validate(
        {
            "method": {"backend": "fbp", "device": "cpu", "threads": 2, "batch": BATCH},
            "correction": {"median_radius_px": 0, "rings": rings},
        }
    )
    scan = Scan(uid="s", projection_count=COUNT, detector_shape=(ROWS, COLUMNS), voxel_size_um=1.0)
    with make_reconstructor(rules).start(scan, make_reference(FLATS, DARKS)) as session:
        done.append(0)
        for index, pixels in enumerate(PROJECTIONS):
            kind = FrameKind.PROJECTION
            session.add(Frame(kind=kind, index=index, angle_rad=float(ANGLES[index]), pixels=pixels))
        done[:] = [0]
        list(session.finish(tell))
    assert sum(done) >= COUNT, "the centre was decided late: all were projected again"
    assert max(done) <= BATCH
    assert len(told) >= COUNT / BATCH
    assert all(one <= other for one, other in itertools.pairwise(told))
    assert told[-1] == 1.0
