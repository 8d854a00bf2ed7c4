import numpy as np
import pytest
import torch
from seeing import reconstruct

from simulators.projector import Projector, ramp_filter

SIZE = 96
ANGLES = np.arange(120) * np.pi / 120


@pytest.fixture(scope="module")
def disc():
    """A disc of radius 25.3 at x = 9, y = 6 (up), anti-aliased, float32."""
    row, column = np.mgrid[:SIZE, :SIZE]
    x, y = column - (SIZE - 1) / 2, (SIZE - 1) / 2 - row
    return np.clip(25.3 - np.hypot(x - 9, y - 6) + 0.5, 0, 1).astype(np.float32)


def _project(disc, centre):
    support = disc > 0
    projector = Projector(support, columns=SIZE, centre_px=centre)
    values = torch.from_numpy(np.stack([disc[support], 2 * disc[support]], axis=1))
    return projector, projector.project(ANGLES, values).numpy()


def test_a_disc_projects_to_its_chords_where_the_geometry_says(disc):
    _, sinogram = _project(disc, 49.2)
    t = np.arange(SIZE) - 49.2 - 9 * np.cos(ANGLES)[:, None] - 6 * np.sin(ANGLES)[:, None]
    chord = 2 * np.sqrt(np.clip(25.3**2 - t**2, 0, None))
    inner = np.abs(t) < 23
    assert sinogram.shape == (120, 2, SIZE)
    assert np.abs(sinogram[:, 0] - chord)[inner].max() < 0.5
    assert np.abs(sinogram[:, 0] - chord).mean() < 0.1
    assert sinogram[:, 1] == pytest.approx(2 * sinogram[:, 0], abs=1e-4)


def test_every_projection_holds_the_same_mass(disc):
    _, sinogram = _project(disc, 47.5)
    assert sinogram[:, 0].sum(axis=1) == pytest.approx(disc.sum(), rel=2e-3)


def test_what_lies_outside_the_support_is_not_seen(disc):
    support = disc > 0.5
    projector = Projector(support, columns=SIZE, centre_px=47.5)
    sums = projector.project(ANGLES[:3], torch.ones((int(support.sum()), 1))).numpy().sum(axis=(1, 2))
    assert sums == pytest.approx(support.sum(), rel=2e-3)


def test_back_projection_returns_the_disc_and_agrees_with_another_program(disc):
    projector, sinogram = _project(disc, 49.2)
    grey = projector.back_project(ANGLES, ramp_filter(torch.from_numpy(sinogram)))[:, 0].numpy() * np.pi / 120
    other = reconstruct(sinogram[:, :1], ANGLES, 49.2)[0][disc > 0]
    assert grey == pytest.approx(other, abs=2e-4)
    assert np.median(grey[disc[disc > 0] == 1]) == pytest.approx(1, abs=0.01)


def test_angles_in_one_call_equal_angles_one_by_one(disc):
    support = disc > 0
    projector = Projector(support, columns=SIZE, centre_px=47.5)
    values = torch.from_numpy(disc[support][:, None])
    together = projector.project(ANGLES[:5], values)
    apart = torch.cat([projector.project(ANGLES[n : n + 1], values) for n in range(5)])
    assert torch.allclose(together, apart, atol=1e-5)
