"""An analytic head phantom in many slices, and what a reconstruction of it should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamlcn.reconstruction._filter import ramp_response

__all__ = ["Scene", "errors_of", "inside", "load_scene", "make_scene", "save_scene"]

# Shepp and Logan, IEEE Trans. Nucl. Sci. 21 (1974) 21, contrast of Toft (1996): x, y, a, b, tilt, value
ELLIPSES = (
    (0.0, 0.0, 0.69, 0.92, 0.0, 1.0),
    (0.0, -0.0184, 0.6624, 0.874, 0.0, -0.8),
    (0.22, 0.0, 0.11, 0.31, -18.0, -0.2),
    (-0.22, 0.0, 0.16, 0.41, 18.0, -0.2),
    (0.0, 0.35, 0.21, 0.25, 0.0, 0.1),
    (0.0, 0.1, 0.046, 0.046, 0.0, 0.1),
    (0.0, -0.1, 0.046, 0.046, 0.0, 0.1),
    (-0.08, -0.605, 0.046, 0.023, 0.0, 0.1),
    (0.0, -0.606, 0.023, 0.023, 0.0, 0.1),
    (0.06, -0.605, 0.023, 0.046, 0.0, 0.1),
)
FILLING = 0.95


@dataclass(frozen=True)
class Scene:
    """``lines`` (index, row, column) and angles; ``truth`` (y, x) is row 0 in 1/pixel."""

    lines: npt.NDArray[np.float32]
    angles_rad: npt.NDArray[np.float64]
    centre: float
    truth: npt.NDArray[np.float32]

    def first_rows(self, count: int) -> Scene:
        """Return it with fewer rows."""
        return Scene(self.lines[:, :count], self.angles_rad, self.centre, self.truth)


def save_scene(scene: Scene, path: Path) -> Path:
    """Write a scene, and return where it is."""
    np.savez(path, **vars(scene))
    return path.with_suffix(".npz")


def load_scene(path: Path) -> Scene:
    """Read what `save_scene` wrote."""
    with np.load(path) as file:
        return Scene(file["lines"], file["angles_rad"], float(file["centre"]), file["truth"])


def make_scene(columns: int, angles: int, rows: int, centre: float | None = None) -> Scene:
    """Return the phantom turned a little from slice to slice; 4 x 4 points per pixel make row 0's truth."""
    middle = (columns - 1) / 2
    axis = middle if centre is None else centre
    theta = np.arange(angles) * np.pi / angles
    lines = np.empty((angles, rows, columns), np.float32)
    image = np.zeros((4 * columns, 4 * columns), np.float32)
    fine = (np.arange(4 * columns) + 0.5) / 4 - 0.5 - middle
    for row in range(rows):
        turn = 0.3 * row / max(rows, 1)
        total = np.zeros((angles, columns))
        for x, y, half_x, half_y, tilt, value in ELLIPSES:
            scale, phi = FILLING * columns / 2, np.deg2rad(tilt) + turn
            cx, cy = (
                scale * (x * np.cos(turn) - y * np.sin(turn)),
                scale * (x * np.sin(turn) + y * np.cos(turn)),
            )
            a, b = half_x * scale, half_y * scale
            square = (a * np.cos(theta - phi)) ** 2 + (b * np.sin(theta - phi)) ** 2
            t = np.arange(columns)[None, :] - axis - (cx * np.cos(theta) + cy * np.sin(theta))[:, None]
            total += 2 * value * a * b * np.sqrt(np.maximum(square[:, None] - t**2, 0)) / square[:, None]
            if row:
                continue
            u = (fine[None, :] - cx) * np.cos(phi) + (-fine[:, None] - cy) * np.sin(phi)
            v = -(fine[None, :] - cx) * np.sin(phi) + (-fine[:, None] - cy) * np.cos(phi)
            image += value * ((u / a) ** 2 + (v / b) ** 2 <= 1)
        lines[:, row] = total / columns
    truth = image.reshape(columns, 4, columns, 4).mean(axis=(1, 3)) / columns
    return Scene(lines, theta, axis, truth)


def errors_of(image: npt.NDArray[np.float32], scene: Scene) -> tuple[float, float]:
    """Return the largest difference from float64, and the rms from the phantom, over the maxima of both.

    Of row 0 within 0.98 of the circle; of a large image the first in some rows only.
    """
    columns = scene.lines.shape[2]
    some = slice(None, None, max(1, columns // 512))
    circle, reference = inside(columns), reference_float64(scene, some)
    difference = np.abs(image[some] - reference)[circle[some]]
    largest = difference.max() / np.abs(reference[circle[some]]).max()
    rms = np.sqrt(np.mean((image - scene.truth)[circle] ** 2)) / scene.truth.max()
    return float(largest), float(rms)


def reference_float64(scene: Scene, some: slice) -> npt.NDArray[np.float64]:
    """Return some image rows of row 0's filtered back-projection in float64.

    Space-domain ramp, linear interpolation, nothing beyond the detector.
    """
    rows = scene.lines[:, 0].astype(np.float64)
    columns = rows.shape[1]
    length = 4 * columns
    padded = np.zeros((len(rows), length))
    padded[:, columns : 2 * columns] = rows
    filtered = np.fft.irfft(np.fft.rfft(padded) * ramp_response(length, "ramlak"), n=length)
    middle = (columns - 1) / 2
    x, y = np.meshgrid(np.arange(columns) - middle, (middle - np.arange(columns))[some])
    total = np.zeros(x.shape)
    for line, angle in zip(filtered, scene.angles_rad, strict=True):
        place = x * np.cos(angle) + y * np.sin(angle) + scene.centre + columns
        below = place.astype(np.int64)
        share = place - below
        total += line[below] * (1 - share) + line[below + 1] * share
    return total * np.pi / len(rows)


def inside(columns: int, share: float = 0.98) -> npt.NDArray[np.bool_]:
    """Return (y, x) True within a share of the inscribed circle."""
    offset = np.arange(columns) - (columns - 1) / 2
    within: npt.NDArray[np.bool_] = offset[:, None] ** 2 + offset[None, :] ** 2 <= (share * columns / 2) ** 2
    return within
