"""The beam's illumination as it changes over a scan, and the camera that counts its photons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from simulators.instruments import Beam, Camera

Floats = npt.NDArray[np.float32]
_BLOB_UM, _GRAIN_UM, _FINE_UM = 6.0, 0.8, 0.25
_STRIPE_UM = 0.6


class Illumination:
    """Relative intensity of the empty beam (row, column): fixed structure, and stripes that drift."""

    def __init__(self, beam: Beam, shape: tuple[int, int], pixel_um: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 0xBEA])
        self._beam = beam
        self._pixel_um = pixel_um
        self._phase = rng.uniform(0, 2 * np.pi, 2)
        row, column = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        side = 2 * column / max(shape[1] - 1, 1) - 1
        fixed = 1 - beam.vignetting * side**2
        for length_um, strength in (
            (_BLOB_UM, beam.blobs),
            (_GRAIN_UM, beam.grain),
            (_FINE_UM, 0.6 * beam.grain),
        ):
            noise = gaussian_filter(rng.standard_normal(shape), max(length_um / pixel_um / 2, 0.5))
            fixed += strength * (noise - noise.mean()) / noise.std()
        pitch = 2 * np.pi * pixel_um / beam.grid_pitch_um
        fixed += beam.grid * (np.cos(pitch * row) * np.cos(pitch * column))
        self._fixed = np.clip(fixed, 0.2, None).astype(np.float32)
        self._margin = int(np.ceil(3 * beam.stripe_drift_um / pixel_um)) + 2
        noise = rng.standard_normal(shape[0] + 2 * self._margin)
        stripes = gaussian_filter1d(noise, max(_STRIPE_UM / pixel_um / 2, 0.5))
        self._stripes = beam.stripes * (stripes - stripes.mean()) / stripes.std()

    def at(self, progress: float, rng: np.random.Generator) -> Floats:
        """Illumination at a moment; progress runs from 0 at the first exposure of a scan to 1 at the last.

        Beyond 1 the stripes stay at their last place; the beam's saw-tooth of decay and top-up goes on.
        """
        time = min(progress, 1.5)
        drift = (
            self._beam.stripe_drift_um * (time + 0.15 * np.sin(7 * time + self._phase[0])) / self._pixel_um
        )
        rows = np.arange(len(self._fixed)) + self._margin + drift
        stripes = map_coordinates(self._stripes, [rows], order=1, mode="nearest")[:, None]
        decay = 1 - self._beam.decay * ((3 * progress + self._phase[1]) % 1)
        level = decay * (1 + self._beam.jitter * rng.standard_normal())
        return (self._fixed * (1 + stripes) * level).astype(np.float32)


class Detector:
    """Counts photons: excess noise, unequal and slightly non-linear pixels, read noise, hot pixels, offset.

    Binning averages: the counts stay at the level of one published pixel and their noise falls.
    """

    def __init__(self, camera: Camera, shape: tuple[int, int], binning: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 0xCA3])
        self._camera = camera
        self._bins = binning**2
        self._response = (1 + camera.response_sigma * rng.standard_normal(shape)).astype(np.float32)
        self._nonlinearity = (camera.nonlinearity_sigma * rng.standard_normal(shape)).astype(np.float32)
        self._offset = (camera.offset_counts + rng.normal(0, 0.02 * camera.offset_counts, shape[1])).astype(
            np.float32
        )
        self.hot = rng.random(shape) < camera.hot_share

    def expose(self, relative: Floats | None, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
        """Turn relative intensity (row, column), about 1 in the empty beam, into counts; None is darkness."""
        camera = self._camera
        shape = self._response.shape
        electrons = np.zeros(shape, np.float32)
        if relative is not None:
            photons = rng.poisson(camera.photons * self._bins * np.maximum(relative, 0)).astype(np.float32)
            excess = np.sqrt(camera.excess_variance * photons) * rng.standard_normal(shape, dtype=np.float32)
            bent = 1 + self._nonlinearity * (photons / (camera.photons * self._bins) - 0.8)
            electrons = (camera.electrons_per_photon * photons + excess) * self._response * bent
        noise = (
            camera.read_noise_electrons * np.sqrt(self._bins) * rng.standard_normal(shape, dtype=np.float32)
        )
        counts = (electrons + noise) / (camera.electrons_per_count * self._bins) + self._offset
        counts += camera.hot_counts * self.hot
        return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
