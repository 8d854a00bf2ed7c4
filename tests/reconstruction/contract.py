"""What every backend must do: values and geometry, not only shapes. A backend's test class inherits these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from phantoms import BONE, counts, image, line_integrals
from scipy import ndimage

from streamlcn.errors import ReconstructionFailed
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.ports import Reconstructor
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor, make_reference

COLUMNS, ROWS, COUNT, VALUE = 80, 2, 120, 0.02
TRUTH = image(BONE, COLUMNS)
CORE = ndimage.binary_erosion(TRUTH == VALUE, iterations=2)
RADIUS = np.hypot(*(np.mgrid[:COLUMNS, :COLUMNS] - (COLUMNS - 1) / 2))
OUTSIDE = ndimage.binary_erosion(TRUTH == 0, iterations=3) & (RADIUS < COLUMNS / 2 - 3)

HALF_TURN = np.arange(COUNT) * np.pi / COUNT
RANDOM = np.random.default_rng(5)
ANGLE_SETS = {
    "half turn": HALF_TURN,
    "both ends": np.linspace(0, np.pi, COUNT + 1),
    "full turn": np.arange(2 * COUNT) * np.pi / COUNT,
    "backwards from 3 rad": 3 - HALF_TURN,
    "golden ratio": np.mod(np.arange(COUNT) * np.pi * (np.sqrt(5) - 1) / 2, np.pi),
    "some lost": np.delete(HALF_TURN, [3, 40, 41, 90]),
    "jitter": HALF_TURN + RANDOM.uniform(-0.3, 0.3, COUNT) * np.pi / COUNT,
    "denser in the middle": np.concatenate(
        [HALF_TURN[:40], np.linspace(HALF_TURN[40], HALF_TURN[80], 80, endpoint=False), HALF_TURN[80:]]
    ),
}


class ReconstructionContract:
    """Subclasses name the ``method`` of their settings, and may widen two tolerances.

    ``order_tolerance`` is how far two orders of the same projections may differ, in units of the phantom;
    ``edge_correlation`` is the least correlation with it, which edges limit.
    """

    method: ClassVar[dict[str, object]]
    order_tolerance: ClassVar[float] = 0.0
    edge_correlation: ClassVar[float] = 0.985

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> Reconstructor:
        return make_reconstructor(
            ReconstructionSettings.model_validate(
                {"method": cls.method, "correction": {"median_radius_px": 0}}
            )
        )

    def volume(
        self,
        provider: Reconstructor,
        angles: npt.NDArray[np.float64] = HALF_TURN,
        centre: float = 41.3,
        sign: float = -1.0,
        phase_shift_rad: float | None = None,
        order: Sequence[int] | None = None,
    ) -> npt.NDArray[np.float32]:
        projections, flats, darks = counts(line_integrals(BONE, angles, COLUMNS, centre, ROWS), sign)
        scan = replace(make_scan(len(angles), centre), phase_shift_rad=phase_shift_rad)
        with provider.start(scan, make_reference(flats, darks)) as session:
            for i in order or range(len(angles)):
                session.add(make_frame(i, float(angles[i]), projections[i]))
            slabs = list(session.finish())
            assert session.centre == (centre, None, "final")
        assert [s.z_start for s in slabs] == list(np.cumsum([0] + [len(s.voxels) for s in slabs[:-1]]))
        return np.concatenate([slab.voxels for slab in slabs])

    def check(self, volume: npt.NDArray[np.float32]) -> None:
        """Check values inside and outside of every slice, and the places of all edges."""
        assert volume.shape == (ROWS, COLUMNS, COLUMNS)
        assert volume.dtype == np.float32
        for row, image_ in enumerate(volume):
            level = VALUE * (row + 1)
            assert image_[CORE].mean() == pytest.approx(level, rel=0.01)
            assert image_[OUTSIDE].mean() == pytest.approx(0, abs=0.005 * level)
            assert not image_[RADIUS > COLUMNS / 2].any()
            inside = RADIUS < COLUMNS / 2 - 2
            correlation = np.corrcoef(image_[inside], TRUTH[inside])[0, 1]
            assert correlation > self.edge_correlation

    @pytest.mark.parametrize("name", ANGLE_SETS)
    def test_any_set_of_angles_gives_the_phantom(self, provider: Reconstructor, name: str) -> None:
        self.check(self.volume(provider, ANGLE_SETS[name]))

    @pytest.mark.parametrize("centre", [39.5, 40.0, 33.25, 47.8])
    def test_any_centre_gives_the_phantom_in_the_middle(self, provider: Reconstructor, centre: float) -> None:
        self.check(self.volume(provider, centre=centre))

    @pytest.mark.parametrize(("shift", "sign"), [(np.pi / 2, -1.0), (-np.pi / 2, 1.0)])
    def test_the_plate_decides_the_sign(self, provider: Reconstructor, shift: float, sign: float) -> None:
        self.check(self.volume(provider, sign=sign, phase_shift_rad=shift))

    def test_order_does_not_matter(self, provider: Reconstructor) -> None:
        order = [int(i) for i in RANDOM.permutation(COUNT)]
        forward, shuffled = self.volume(provider), self.volume(provider, order=order)
        assert np.abs(forward - shuffled).max() <= self.order_tolerance * VALUE

    def test_preview_has_the_level_of_a_whole_scan(self, provider: Reconstructor) -> None:
        angles = np.concatenate([HALF_TURN[first::3] for first in range(3)])  # interlaced
        projections, flats, darks = counts(line_integrals(BONE, angles, COLUMNS, 41.3, ROWS))
        with provider.start(make_scan(COUNT, 41.3), make_reference(flats, darks)) as session:
            assert not session.preview(0).any()
            for i in range(2 * COUNT // 3):
                session.add(make_frame(i, float(angles[i]), projections[i]))
            for z in range(ROWS):
                assert session.preview(z)[CORE].mean() == pytest.approx(VALUE * (z + 1), rel=0.03)
            with pytest.raises(ReconstructionFailed, match=f"slice {ROWS} is outside"):
                session.preview(ROWS)

    def test_too_few_projections_are_no_tomography(self, provider: Reconstructor) -> None:
        reference = Reference(dark=np.zeros((ROWS, COLUMNS), "f4"), flat=np.ones((ROWS, COLUMNS), "f4"))
        with provider.start(make_scan(COUNT, 40.0), reference) as session:
            for i in range(2):
                session.add(make_frame(i, 0.1 * i, np.ones((ROWS, COLUMNS), np.float32)))
            with pytest.raises(ReconstructionFailed, match="2 projections are no tomography"):
                list(session.finish())

    def test_it_says_what_it_is(self, provider: Reconstructor) -> None:
        assert provider.name == self.method["backend"]
        assert str(self.method["backend"]) in provider.description  # type: ignore[attr-defined]


def make_scan(count: int, centre: float | None) -> Scan:
    return Scan(
        uid="s",
        projection_count=count,
        detector_shape=(ROWS, COLUMNS),
        voxel_size_um=1.0,
        centre_of_rotation=centre,
    )


def make_frame(index: int, angle_rad: float, pixels: npt.NDArray[np.float32]) -> Frame:
    return Frame(kind=FrameKind.PROJECTION, index=index, angle_rad=angle_rad, pixels=pixels)
