"""Phantoms whose projections are known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Ellipse:
    """Centre and half axes in pixels from the axis of rotation (x right, y up), tilt in radians, 1/pixel."""

    x: float
    y: float
    a: float
    b: float
    value: float
    tilt: float = 0.0


BONE = (
    Ellipse(2.0, -3.0, 24.0, 20.0, 0.02),
    Ellipse(-6.0, 4.0, 5.0, 4.0, -0.012, 0.4),
    Ellipse(10.0, -8.0, 4.0, 7.0, 0.015, -0.7),
)


def line_integrals(
    ellipses: tuple[Ellipse, ...],
    angles_rad: npt.NDArray[np.float64],
    columns: int,
    centre: float,
    rows: int = 1,
) -> npt.NDArray[np.float64]:
    """Return exact (index, row, column) integrals; row r holds the phantom times (r + 1)."""
    t = np.arange(columns) - centre
    total = np.zeros((len(angles_rad), columns))
    for e in ellipses:
        turned = angles_rad[:, None] - e.tilt
        square = (e.a * np.cos(turned)) ** 2 + (e.b * np.sin(turned)) ** 2
        offset = t[None, :] - e.x * np.cos(angles_rad)[:, None] - e.y * np.sin(angles_rad)[:, None]
        inside = np.maximum(square - offset**2, 0)
        total += 2 * e.value * e.a * e.b * np.sqrt(inside) / square
    return total[:, None, :] * (1 + np.arange(rows))[None, :, None]


def image(ellipses: tuple[Ellipse, ...], columns: int) -> npt.NDArray[np.float64]:
    """Return the phantom (y, x) sampled at pixel centres."""
    middle = (columns - 1) / 2
    x = np.arange(columns)[None, :] - middle
    y = middle - np.arange(columns)[:, None]
    out = np.zeros((columns, columns))
    for e in ellipses:
        u = (x - e.x) * np.cos(e.tilt) + (y - e.y) * np.sin(e.tilt)
        v = -(x - e.x) * np.sin(e.tilt) + (y - e.y) * np.cos(e.tilt)
        out += e.value * ((u / e.a) ** 2 + (v / e.b) ** 2 <= 1)
    return out


def counts(
    lines: npt.NDArray[np.float64], sign: float = -1.0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return projections, flats and darks in counts (float32) of line integrals."""
    shape = lines.shape[1:]
    shade = 20000 * (1 + 0.2 * np.sin(np.arange(shape[1]) / 7))[None, :] * np.ones(shape)
    dark = np.full(shape, 100.0)
    projections = np.exp(sign * lines) * shade + dark
    flats = np.stack([shade + dark] * 3)
    return projections.astype(np.float32), flats.astype(np.float32), np.stack([dark] * 2).astype(np.float32)
