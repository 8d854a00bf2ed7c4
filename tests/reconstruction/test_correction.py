"""Every step from counts to line integrals, by itself."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from streamlcn.errors import BadInput, MissingReference, ReconstructionFailed
from streamlcn.model import Reference
from streamlcn.reconstruction import Correction, contrast_sign, make_reference
from streamlcn.reconstruction._median import disc_offsets, median_filter
from streamlcn.reconstruction.settings import CorrectionSettings

RANDOM = np.random.default_rng(3)
SHAPE = (12, 20)
DARK = np.full(SHAPE, 100, np.float32)
SPAN = (1000 + 50 * RANDOM.random(SHAPE)).astype(np.float32)
REFERENCE = Reference(dark=DARK, flat=DARK + SPAN)
LINES = RANDOM.uniform(0.1, 2, SHAPE).astype(np.float32)
COUNTS = np.exp(-LINES) * SPAN + DARK


def correct(
    pixels: npt.NDArray[np.float32] = COUNTS,
    reference: Reference | None = REFERENCE,
    index: int | None = None,
    phase_shift_rad: float | None = None,
    **settings: object,
) -> npt.NDArray[np.float32]:
    scan = {k: settings.pop(k) for k in ("projection_count", "energy_kev", "pixel_um") if k in settings}
    rules = CorrectionSettings.model_validate({"median_radius_px": 0, **settings})
    made = Correction(rules, reference, phase_shift_rad, detector_shape=pixels.shape, **scan)  # type: ignore[arg-type]
    return made.line_integrals(pixels, index)


def test_counts_become_line_integrals() -> None:
    np.testing.assert_allclose(correct(), LINES, atol=2e-5)


def test_whole_counts_are_corrected_like_floats() -> None:
    whole = np.round(COUNTS).astype(np.uint16)
    np.testing.assert_array_equal(correct(whole), correct(whole.astype(np.float32)))  # type: ignore[arg-type]


def test_line_integrals_see_no_second_logarithm() -> None:
    np.testing.assert_array_equal(correct(LINES, None), LINES)


@pytest.mark.parametrize(
    ("shift", "sign"), [(None, -1), (np.pi / 2, -1), (-np.pi / 2, 1), (3 * np.pi / 2, 1), (0.3, -1)]
)
def test_the_plate_decides_the_sign(shift: float | None, sign: int) -> None:
    assert contrast_sign(shift) == sign


@pytest.mark.parametrize("shift", [0.0, np.pi, float("nan")])
def test_a_plate_without_contrast_is_refused(shift: float) -> None:
    with pytest.raises(BadInput, match="no phase contrast of first order"):
        contrast_sign(shift)


def test_linear_contrast_keeps_what_a_logarithm_would_cut() -> None:
    values = correct(DARK + SPAN * np.float32(-0.2), phase_shift_rad=-np.pi / 2, contrast="linear")
    np.testing.assert_allclose(values, -1.2, atol=1e-6)
    assert correct(DARK + SPAN * np.float32(-0.2), phase_shift_rad=-np.pi / 2).max() == pytest.approx(
        np.log(0.02), rel=1e-5
    )


@pytest.mark.parametrize(
    ("settings", "floor"), [({}, 1e-6), ({"transmission_floor": 0.3}, 0.3)], ids=["absorption", "setting"]
)
def test_darkness_counts_as_the_floor(settings: dict[str, object], floor: float) -> None:
    np.testing.assert_allclose(correct(DARK.copy(), **settings), -np.log(floor), rtol=1e-5)


def test_an_outlier_goes_and_everything_else_stays() -> None:
    smooth = np.full(SHAPE, 0.5, np.float32) * SPAN + DARK
    hot = smooth.copy()
    hot[4, 7] += 900
    cleaned = correct(hot, outlier_threshold=0.3)
    np.testing.assert_allclose(cleaned, np.log(2), atol=1e-5)
    np.testing.assert_array_equal(correct(COUNTS, outlier_threshold=5.0), correct())


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_the_median_is_that_of_a_disc(radius: int) -> None:
    frame = RANDOM.normal(size=(17, 23)).astype(np.float32)
    footprint = np.zeros((2 * radius + 1,) * 2, bool)
    footprint[tuple(disc_offsets(radius).T)] = True
    expected = ndimage.median_filter(frame, footprint=footprint, mode="nearest")
    np.testing.assert_array_equal(median_filter(frame, radius), expected)
    assert footprint.sum() == {1: 9, 2: 21, 3: 37}[radius]


def test_a_dead_pixel_takes_its_neighbours_value() -> None:
    flat = REFERENCE.flat.copy()
    flat[5, 5] = DARK[5, 5]
    lines = correct(reference=Reference(dark=DARK, flat=flat))
    around = LINES[4:7, 4:7]
    assert np.abs(around - lines[5, 5]).min() < 2e-5


class TestFlats:
    """Flats of before and after differ by a factor of two; half-way both count half."""

    both = Reference(dark=DARK, flat=DARK + SPAN, flat_after=DARK + 2 * SPAN)

    @pytest.mark.parametrize(
        ("which", "index", "divisor"),
        [
            ("before", 7, 1.0),
            ("after", 7, 2.0),
            ("mean", 7, 1.5),
            ("interpolate", 0, 1.0),
            ("interpolate", 5, 1.5),
            ("interpolate", 10, 2.0),
        ],
    )
    def test_the_setting_says_which_count(self, which: str, index: int, divisor: float) -> None:
        lines = correct(reference=self.both, index=index, flats=which, projection_count=11)
        np.testing.assert_allclose(lines, LINES + np.log(divisor), atol=3e-5)

    @pytest.mark.parametrize("which", ["after", "interpolate"])
    def test_flats_that_nobody_took_are_asked_for(self, which: str) -> None:
        with pytest.raises(BadInput, match="no flats taken after the scan are known"):
            correct(flats=which, projection_count=11)

    def test_interpolation_needs_the_number_of_projections(self) -> None:
        with pytest.raises(BadInput, match="does not say how many projections"):
            correct(reference=self.both, flats="interpolate")

    def test_references_keep_both_apart(self) -> None:
        made = make_reference(np.stack([DARK + SPAN] * 3), DARK, np.stack([DARK + 2 * SPAN] * 2))
        assert made.flat_after is not None
        np.testing.assert_allclose(made.flat_after - made.dark, 2 * (made.flat - made.dark), rtol=1e-5)
        with pytest.raises(MissingReference, match="no brighter than the dark"):
            make_reference(DARK + SPAN, DARK, DARK)


def test_air_at_the_borders_counts_as_the_beam() -> None:
    lines = LINES.copy()
    lines[:, :2] = lines[:, -2:] = 0
    dimmed = np.exp(-lines) * SPAN * np.float32(0.7) + DARK
    np.testing.assert_allclose(correct(dimmed, air_columns_px=2), lines, atol=3e-5)
    with pytest.raises(ReconstructionFailed, match="projection 3: no light in the 2 columns of air"):
        correct(DARK.copy(), index=3, air_columns_px=2)


def test_crop_and_binning_keep_the_mean_transmission() -> None:
    crop = {"row_start": 1, "row_stop": 8, "column_start": 3, "column_stop": 20}
    lines = correct(crop=crop, binning=2)
    kept = np.exp(-LINES)[1:7, 3:19]
    expected = -np.log((kept[::2, ::2] + kept[1::2, ::2] + kept[::2, 1::2] + kept[1::2, 1::2]) / 4)
    np.testing.assert_allclose(lines, expected, atol=3e-5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"crop": {"row_stop": 13}}, "ends at row 13, but the detector has 12"),
        ({"crop": {"column_start": 19}, "binning": 2}, "leave nothing of 20 detector columns"),
    ],
)
def test_a_crop_that_does_not_fit_is_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        correct(**settings)


class TestPaganin:
    """Waves along the columns shrink by 1 / (1 + l k²)."""

    optics: ClassVar[dict[str, float]] = {"delta_over_beta": 200, "distance_mm": 30.0}

    def test_a_wave_shrinks_as_the_formula_says(self) -> None:
        period, energy, pixel = 8, 20.0, 0.5
        wave = 1 + 0.1 * np.cos(2 * np.pi * np.arange(400) / period)[None, :] * np.ones((64, 1))
        span = np.ones(wave.shape, np.float32)
        reference = Reference(dark=0 * span, flat=span)
        lines = correct(
            wave.astype(np.float32), reference, energy_kev=energy, pixel_um=pixel, paganin=self.optics
        )
        length_um2 = 1.2398e-3 / energy * 30e3 * 200 / (4 * np.pi)
        gain = 1 / (1 + length_um2 * (2 * np.pi / (period * pixel)) ** 2)
        middle = np.exp(-lines)[32, 160:240]
        assert np.ptp(middle) / 2 == pytest.approx(0.1 * gain, rel=0.01)
        assert middle.mean() == pytest.approx(1, abs=1e-4)

    def test_it_needs_the_energy(self) -> None:
        with pytest.raises(BadInput, match="needs the photon energy"):
            correct(paganin=self.optics, pixel_um=1.0)
