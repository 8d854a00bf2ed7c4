"""Reconstruct and judge with tools of its own: what tests see is not made by the code under test."""

from __future__ import annotations

import numpy as np

from simulators.sizes import Size

FIELD = Size(name="field", rows=24, columns=256, binning=2, projection_count=240)
"""The paper's field of view, 48 um wide, so that artefacts have their true size against the bone."""


def reconstruct(integrals, angles_rad, axis_px):
    """Back-project line integrals (angle, row, column), interpolating linearly; float64 (z, y, x)."""
    count, rows, columns = integrals.shape
    length = 1 << int(np.ceil(np.log2(2 * columns)))
    place = np.fft.fftfreq(length, 1 / length)
    odd = place % 2 == 1
    kernel = np.where(odd, -1 / (np.pi * np.where(odd, place, 1)) ** 2, 0)
    kernel[0] = 0.25
    filtered = np.fft.irfft(np.fft.rfft(integrals, length) * np.fft.rfft(kernel).real, length)[..., :columns]
    middle = (columns - 1) / 2
    x = np.arange(columns) - middle
    volume = np.zeros((rows, columns, columns))
    for angle, lines in zip(angles_rad, filtered, strict=True):
        t = x[None, :] * np.cos(angle) - x[:, None] * np.sin(angle) + axis_px
        low = np.clip(np.floor(t).astype(int), 0, columns - 2)
        share = np.clip(t - low, 0, 1)
        volume += lines[:, low] * (1 - share) + lines[:, low + 1] * share
    return volume * np.pi / count


def clean_integrals(imager, rows=slice(None), sign=1.0):
    """Line integrals of the noise-free images, (angle, row, column): sign times ln I, I above 0.02."""
    images = np.stack([imager.clean(angle)[rows] for angle in imager.nominal_angles_rad])
    return sign * np.log(np.maximum(images, 0.02))


def measured_integrals(imager, rows=slice(None), *, darks=10, flats=10):
    """Line integrals of a simulated scan, (angle, row, column), after flat-field correction."""
    dark = np.mean([imager.expose(angle_rad=0, shutter_open=False, exposure=n) for n in range(darks)], axis=0)
    numbers = range(darks, darks + flats)
    flat = np.mean([imager.expose(angle_rad=0, sample_in=False, exposure=n) for n in numbers], axis=0)
    frames = [
        imager.expose(angle_rad=angle, exposure=darks + flats + n)[rows]
        for n, angle in enumerate(imager.nominal_angles_rad)
    ]
    relative = (np.stack(frames) - dark[rows]) / np.maximum(flat[rows] - dark[rows], 1)
    return np.log(np.clip(relative, 0.02, 8))


def normalised(grey, inside):
    """Grey values scaled to their 0.05 and 99.95 percentiles over `inside` and clipped to 0 and 1."""
    low, high = np.percentile(grey[..., inside], [0.05, 99.95])
    return np.clip((grey - low) / (high - low), 0, 1)


def dice(one, two):
    """2 |A and B| / (|A| + |B|)."""
    return 2 * np.count_nonzero(one & two) / max(np.count_nonzero(one) + np.count_nonzero(two), 1)


def otsu(grey):
    """The threshold that maximises the variance between two classes (Otsu 1979), on 256 bins."""
    counts, edges = np.histogram(grey, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return centres[np.nanargmax(between[:-1])]
