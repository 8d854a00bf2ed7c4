"""Real scans through the whole path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scans import RealScan, k11, tooth
from scipy import ndimage

from streamlcn.reconstruction import ReconstructionSettings, reconstruct


def volume_of(scan: RealScan, **settings: object) -> npt.NDArray[np.float32]:
    rules = ReconstructionSettings.model_validate({"method": {"backend": "fbp", "device": "cpu"}, **settings})
    return reconstruct(
        scan.projections,
        scan.flats,
        scan.darks,
        scan.angles_rad,
        settings=rules,
        flats_after=scan.flats_after,
    )


def test_a_tooth_is_one_bright_body_in_dark_air() -> None:
    image = volume_of(tooth(), centre={"value": 295.8})[0]
    body = ndimage.binary_opening(ndimage.gaussian_filter(image, 2) > 0.0025, iterations=3)
    labels, count = ndimage.label(body)
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.max() > 0.9 * sizes.sum()
    _, columns = ndimage.find_objects(labels)[int(np.argmax(sizes))]
    assert 180 < columns.stop - columns.start < 260
    assert count < 10
    assert 0.005 < image[body].mean() < 0.008  # dentine and enamel, 1/pixel
    air = np.hypot(*(np.mgrid[:640, :640] - 319.5)) < 310
    air &= ~ndimage.binary_dilation(body, iterations=12)
    assert abs(image[air].mean()) < 1e-4


@pytest.mark.parametrize("flats", ["before", "after", "mean", "interpolate"])
def test_a_crop_of_a_larger_sample_is_bounded_whatever_flats_count(flats: str) -> None:
    volume = volume_of(k11(), correction={"flats": flats}, centre={"value": 12.5})
    assert volume.shape == (22, 26, 26)
    assert np.isfinite(volume).all()
    inside = np.hypot(*(np.mgrid[:26, :26] - 12.5)) < 12
    assert abs(volume[:, inside].mean()) < 0.02
    assert np.abs(ndimage.gaussian_filter(volume[11], 2))[inside].max() < 0.05


def test_flats_before_and_after_matter() -> None:
    volumes = [
        volume_of(k11(), correction={"flats": flats}, centre={"value": 12.5})
        for flats in ("before", "after", "interpolate")
    ]
    inside = np.hypot(*(np.mgrid[:26, :26] - 12.5)) < 10
    means = [float(volume[:, inside].mean()) for volume in volumes]
    assert min(means[:2]) < means[2] < max(means[:2])
