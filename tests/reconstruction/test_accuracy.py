"""Values: against the same discretisation in float64, and against ellipses known in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from phantoms import BONE, image, line_integrals
from scipy import ndimage

from streamlcn.reconstruction import ReconstructionSettings, reconstruct
from streamlcn.reconstruction._filter import WINDOWS

COLUMNS, COUNT, CENTRE = 96, 150, 49.37
ANGLES = np.arange(COUNT) * np.pi / COUNT
LINES = line_integrals(BONE, ANGLES, COLUMNS, CENTRE)
TRUTH = image(BONE, COLUMNS)


def fbp_float64(lines: npt.NDArray[np.float64], window: str, centre: float) -> npt.NDArray[np.float64]:
    """Return the slice (y, x) of lines (index, column) by a direct sum, nothing shared with the package.

    The ramp is its band-limited kernel in space (Kak and Slaney, chapter 3, equation 61); its window is
    applied to the discrete Fourier transform of four times the width; linear interpolation.
    """
    columns = lines.shape[1]
    length = 4 * columns
    lag = np.minimum(np.arange(length), length - np.arange(length)).astype(float)
    kernel = np.where(lag % 2 == 1, -1 / (np.pi * np.maximum(lag, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    response = np.fft.fft(kernel).real * WINDOWS[window](np.abs(np.fft.fftfreq(length)))  # type: ignore[index]
    padded = np.zeros((len(lines), length))
    padded[:, columns : 2 * columns] = lines
    filtered = np.fft.ifft(np.fft.fft(padded) * response).real
    middle = (columns - 1) / 2
    x, y = np.meshgrid(np.arange(columns) - middle, middle - np.arange(columns))
    total = np.zeros((columns, columns))
    for row, angle in zip(filtered, ANGLES, strict=True):
        place = x * np.cos(angle) + y * np.sin(angle) + centre + columns
        total += np.interp(place.ravel(), np.arange(length), row).reshape(place.shape)
    total[x**2 + y**2 > (columns / 2) ** 2] = 0
    return total * np.pi / len(lines)


@pytest.mark.parametrize("device", ["cpu", "torch:cpu"])
@pytest.mark.parametrize("window", ["ramlak", "shepp", "cosine", "hamming", "hann"])
def test_float32_is_float64_to_five_digits(window: str, device: str) -> None:
    method = {"backend": "fbp", "device": device, "filter": window, "padding": "zero"}
    rules = ReconstructionSettings.model_validate({"method": method, "correction": {"median_radius_px": 0}})
    lines = LINES.astype(np.float32)
    volume = reconstruct(lines, None, None, ANGLES, centre=CENTRE, settings=rules, is_line_integral=True)
    expected = fbp_float64(lines[:, 0].astype(np.float64), window, CENTRE)
    assert np.abs(volume[0] - expected).max() <= 1e-5 * np.abs(expected).max()


def test_each_part_of_the_phantom_has_its_value() -> None:
    volume = reconstruct(
        LINES.astype(np.float32), None, None, ANGLES, centre=CENTRE, backend="fbp", is_line_integral=True
    )[0]
    for value in np.unique(TRUTH):
        part = ndimage.binary_erosion(value == TRUTH, iterations=2)
        if value == 0:
            part &= np.hypot(*(np.mgrid[:COLUMNS, :COLUMNS] - (COLUMNS - 1) / 2)) < COLUMNS / 2 - 2
        assert part.sum() > 20
        assert volume[part].mean() == pytest.approx(value, abs=0.005 * TRUTH.max())


def test_an_off_centre_scan_loses_nothing() -> None:
    far = line_integrals(BONE, ANGLES, COLUMNS, 62.0).astype(np.float32)
    volume = reconstruct(far, None, None, ANGLES, centre=62.0, is_line_integral=True)[0]
    core = ndimage.binary_erosion(TRUTH == 0.02, iterations=2)
    assert volume[core].mean() == pytest.approx(0.02, rel=0.005)


def test_repeated_edges_bound_the_rim_of_a_truncated_sample() -> None:
    wide = line_integrals(BONE[:1], ANGLES, 128, 63.5)
    cut = slice(52, 76)  # 24 columns inside a sample 40 to 48 wide
    lines = wide[:, :, cut].astype(np.float32)
    radius = np.hypot(*(np.mgrid[:24, :24] - 11.5))
    cupping = {}
    for padding in ("edge", "zero"):
        rules = ReconstructionSettings.model_validate(
            {"method": {"backend": "fbp", "padding": padding}, "correction": {"median_radius_px": 0}}
        )
        volume = reconstruct(lines, None, None, ANGLES, centre=11.5, settings=rules, is_line_integral=True)[0]
        rim, middle = volume[(radius > 9) & (radius < 11.5)], volume[radius < 4]
        cupping[padding] = abs(float(rim.mean() - middle.mean())) / 0.02
    assert cupping["edge"] < 0.4
    assert cupping["zero"] > 2 * cupping["edge"]
