"""The laws of a streamed reconstruction, for every kernel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest
from phantoms import BONE, counts, image, line_integrals
from scipy import ndimage

from streamlcn.errors import ReconstructionFailed
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor, make_reference, reconstruct

COLUMNS, ROWS, COUNT = 64, 3, 90
ANGLES = np.arange(COUNT) * np.pi / COUNT
LINES = line_integrals(BONE, ANGLES, COLUMNS, 33.4, ROWS)
PROJECTIONS, FLATS, DARKS = counts(LINES)
REFERENCE = make_reference(FLATS, DARKS)
CORE = ndimage.binary_erosion(image(BONE, COLUMNS) == 0.02, iterations=2)  # away from every edge


def settings(device: str = "cpu", **changes: object) -> ReconstructionSettings:
    return ReconstructionSettings.model_validate(
        {
            "method": {"backend": "fbp", "device": device, "threads": 2, "reorder_window": 10, "batch": 7},
            "correction": {"median_radius_px": 0},
            **changes,
        }
    )


def scan(**changes: object) -> Scan:
    known = {"uid": "s", "projection_count": COUNT, "detector_shape": (ROWS, COLUMNS), "voxel_size_um": 1.0}
    return Scan(**{**known, **changes})  # type: ignore[arg-type]


def frame(index: int, **changes: object) -> Frame:
    known = {"kind": FrameKind.PROJECTION, "index": index, "angle_rad": float(ANGLES[index])}
    return Frame(**{**known, "pixels": PROJECTIONS[index], **changes})  # type: ignore[arg-type]


def stream(
    indices: Iterable[int],
    rules: ReconstructionSettings,
    of: Scan | None = None,
    reference: Reference = REFERENCE,
) -> npt.NDArray[np.float32]:
    with make_reconstructor(rules).start(of or scan(), reference) as session:
        for index in indices:
            session.add(frame(index))
        return np.concatenate([slab.voxels for slab in session.finish()])


ORDERS = {
    "forward": list(range(COUNT)),
    "backward": list(range(COUNT))[::-1],
    "shuffled": list(np.random.default_rng(1).permutation(COUNT)),
    "interleaved": list(range(0, COUNT, 2)) + list(range(1, COUNT, 2)),
    "one late": [i for i in range(COUNT) if i != 20] + [20],
}


@pytest.mark.parametrize(("device", "centre"), [("cpu", "auto"), ("cpu", 33.4), ("torch:cpu", 33.4)])
@pytest.mark.parametrize("order", ORDERS)
def test_same_bits_as_from_a_file_in_any_order(order: str, centre: str | float, device: str) -> None:
    rules = settings(device, centre={"value": centre})
    whole = reconstruct(PROJECTIONS, FLATS, DARKS, ANGLES, settings=rules)
    assert np.array_equal(stream(ORDERS[order], rules), whole)


def test_lost_projections_give_the_bits_of_the_file_without_them() -> None:
    rules = settings(centre={"value": 33.4})
    left = [i for i in range(COUNT) if i not in (0, 31, 32, 77)]
    whole = reconstruct(PROJECTIONS[left], FLATS, DARKS, ANGLES[left], settings=rules)
    assert np.array_equal(stream(left, rules), whole)


def test_neighbours_stand_in_for_lost_projections() -> None:
    rules = settings(centre={"value": 33.4})
    left = [i for i in range(COUNT) if i % 9 != 4]
    volume = stream(left, rules)
    assert volume[0][CORE].mean() == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize("device", ["cpu", "torch:cpu"])
def test_preview_has_the_level_of_a_whole_scan_and_ends_as_the_volume(device: str) -> None:
    rules = settings(device, centre={"value": 33.4})
    order = [*range(0, COUNT, 3), *range(1, COUNT, 3), *range(2, COUNT, 3)]
    with make_reconstructor(rules).start(scan(), REFERENCE) as session:
        assert not session.preview(1).any()
        for index in order[:30]:
            session.add(frame(index))
        for index in range(COUNT):
            if index not in order[:30]:
                session.add(frame(index))
        assert session.preview(0)[CORE].mean() == pytest.approx(0.02, rel=0.02)
        last = session.preview(2)
        volume = np.concatenate([slab.voxels for slab in session.finish()])
    np.testing.assert_allclose(volume[2], last, atol=1e-7)


def test_previews_of_a_partial_scan_are_planes_of_one_volume() -> None:
    with make_reconstructor(settings(centre={"value": 33.4})).start(scan(), REFERENCE) as session:
        for index in range(50):
            session.add(frame(index))
        across, front, side = session.preview_slices()  # type: ignore[attr-defined]
    assert across.shape == (COLUMNS, COLUMNS)
    assert front.shape == side.shape == (ROWS, COLUMNS)
    np.testing.assert_array_equal(front[ROWS // 2], across[COLUMNS // 2])
    np.testing.assert_array_equal(side[ROWS // 2], across[:, COLUMNS // 2])
    assert across.max() > 0.02


def test_centre_is_provisional_until_the_end() -> None:
    with make_reconstructor(settings()).start(scan(), REFERENCE) as session:
        assert session.centre == ((COLUMNS - 1) / 2, None, "provisional")
        for index in range(COUNT):
            session.add(frame(index))
        list(session.finish())
        pixels, stderr, kind = session.centre
    assert pixels == pytest.approx(33.4, abs=0.15)
    assert stderr is not None
    assert 0 < stderr < 0.5
    assert kind == "final"


def test_a_known_centre_is_final_from_the_start() -> None:
    with make_reconstructor(settings()).start(scan(centre_of_rotation=33.4), REFERENCE) as session:
        assert session.centre == (33.4, None, "final")


def test_planned_angles_stand_in_for_missing_ones() -> None:
    rules = settings(centre={"value": 33.4})
    with make_reconstructor(rules).start(scan(angles_rad=tuple(ANGLES)), REFERENCE) as session:
        for index in range(COUNT):
            session.add(frame(index, angle_rad=None))
        volume = np.concatenate([slab.voxels for slab in session.finish()])
    assert np.array_equal(volume, stream(range(COUNT), rules))


def test_the_same_frame_twice_counts_once() -> None:
    rules = settings(centre={"value": 33.4})
    assert np.array_equal(stream([0, 0, *range(1, COUNT), 5], rules), stream(range(COUNT), rules))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (frame(3, pixels=np.ones((ROWS, 5), np.float32)), r"projection 3 has shape \(3, 5\)"),
        (
            frame(3, pixels=np.full((ROWS, COLUMNS), np.nan, np.float32)),
            "projection 3 holds nan at row 0, column 0",
        ),
        (frame(3, angle_rad=None), "projection 3 has no angle"),
        (frame(3, angle_rad=float("inf")), "projection 3 has the angle inf"),
        (frame(3, kind=FrameKind.FLAT), "frame 3 is a flat"),
        (frame(1, pixels=PROJECTIONS[2]), "projection 1 came twice with different pixels"),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused_and_harms_nothing(bad: Frame, says: str) -> None:
    rules = settings(centre={"value": 33.4})
    with make_reconstructor(rules).start(scan(), REFERENCE) as session:
        session.add(frame(1))
        with pytest.raises(ReconstructionFailed, match=says):
            session.add(bad)
        for index in range(COUNT):
            session.add(frame(index))
        volume = np.concatenate([slab.voxels for slab in session.finish()])
    assert np.array_equal(volume, stream(range(COUNT), rules))


def test_too_few_projections_are_no_tomography() -> None:
    with (
        make_reconstructor(settings()).start(scan(), REFERENCE) as session,
        pytest.raises(ReconstructionFailed, match="0 projections are no tomography"),
    ):
        list(session.finish())


def test_a_reference_of_another_shape_is_refused() -> None:
    with pytest.raises(ReconstructionFailed, match="the reference is"):
        make_reconstructor(settings()).start(scan(detector_shape=(5, 5)), REFERENCE)


def test_a_slice_outside_the_volume_is_refused() -> None:
    with make_reconstructor(settings()).start(scan(), REFERENCE) as session:
        session.add(frame(0))
        with pytest.raises(ReconstructionFailed, match="slice 3 is outside"):
            session.preview(3)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch", [1, 24])
def test_threads_and_batches_do_not_show_in_the_bits(threads: int, batch: int) -> None:
    rules = settings(
        centre={"value": 33.4}, method={"backend": "fbp", "device": "cpu", "threads": threads, "batch": batch}
    )
    assert np.array_equal(stream(range(COUNT), rules), stream(range(COUNT), settings(centre={"value": 33.4})))
