"""Draw the figures of docs/simulator.md: `python docs/figures/simulator.py [folder]`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.colors import ListedColormap
from scipy.ndimage import distance_transform_edt

from simulators import optics
from simulators.imager import Imager
from simulators.instruments import load_instrument
from simulators.projector import Projector, ramp_filter
from simulators.sizes import SIZES, Size

mpl.use("Agg")
import matplotlib.pyplot as plt

NAMES = {"anatomix": "ANATOMIX-like", "p05": "P05-like"}
FIELD = Size(name="figures", rows=96, columns=512, binning=1, projection_count=720)
LABELS = ListedColormap(["#f2f2f2", "#c9b79c", "#1f4e9c", "#d1495b"])
SEED = 1


class Seen:
    """One simulated scan, measured, corrected and reconstructed in a few slices, with its truth."""

    def __init__(self, imager: Imager, rows: list[int]) -> None:
        self.imager = imager
        self.rows = rows
        angles = imager.nominal_angles_rad
        imager.prepare(angles)
        dark = np.mean(
            [imager.expose(angle_rad=0, shutter_open=False, exposure=n) for n in range(20)], axis=0
        )
        self.flats = [imager.expose(angle_rad=0, sample_in=False, exposure=n) - dark for n in range(20, 40)]
        flat = np.mean(self.flats, axis=0)
        frames = [imager.expose(angle_rad=a, exposure=40 + n)[rows] for n, a in enumerate(angles)]
        relative = (np.stack(frames) - dark[rows]) / np.maximum(flat[rows] - dark[rows], 1)
        self.integrals = np.log(np.clip(relative, 0.02, 8))
        self.grey = self._normalised(self._back_projected(self.integrals))
        clean = np.stack([imager.clean(angle)[rows] for angle in angles])
        self.clean = self._normalised(self._back_projected(np.log(np.maximum(clean, 0.02))))
        self.labels = imager.labels[rows]
        self.polymer = imager.phantom.polymer[rows] > 127

    def _back_projected(self, integrals: np.ndarray) -> np.ndarray:
        columns = self.imager.shape[1]
        place = np.arange(columns) - (columns - 1) / 2
        self.inside = np.hypot(*np.meshgrid(place, place)) < 0.48 * columns
        projector = Projector(self.inside, columns=columns, centre_px=self.imager.rotation_axis_px)
        angles = self.imager.nominal_angles_rad
        total = 0
        for start in range(0, len(angles), 16):
            part = torch.as_tensor(integrals[start : start + 16], dtype=torch.float32)
            total = total + projector.back_project(angles[start : start + 16], ramp_filter(part))
        volume = np.full((len(self.rows), columns, columns), np.nan)
        volume[:, self.inside] = total.numpy().T * np.pi / len(angles)
        return volume

    def _normalised(self, grey: np.ndarray) -> np.ndarray:
        low, high = np.nanpercentile(grey, [0.05, 99.95])
        return np.clip((grey - low) / (high - low), 0, 1)


def draw_phantom(folder: Path) -> None:
    """Cross-section, the network seen from the side, and a radiograph of it."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.6), width_ratios=[1.15, 1.4, 1.4])
    for row, (name, title) in zip(axes, NAMES.items(), strict=True):
        imager = Imager(load_instrument(name), "medium", SEED)
        phantom = imager.phantom
        extent = [0, 256 * imager.pixel_um, 0, 210 * imager.pixel_um]
        middle = phantom.labels[100].astype(float)
        middle[(phantom.polymer[100] > 127) & (middle == 0)] = np.nan
        row[0].imshow(middle, cmap=LABELS, vmin=0, vmax=3, extent=[0, extent[1], 0, extent[1]])
        row[0].set_facecolor("#e9d66b")
        row[0].set(title=f"{title}: slice (yellow: polymer)", xlabel="µm", ylabel="µm")
        thickness = (phantom.labels == 2).sum(axis=1) * imager.pixel_um
        row[1].imshow(thickness**0.5, cmap="bone_r", extent=extent)
        row[1].set(title="LCN along the beam (root of path length)", xlabel="µm")
        row[2].imshow(imager.clean(0.0), cmap="gray", extent=extent)
        row[2].set(title="noise-free radiograph", xlabel="µm")
    _save(figure, folder, "phantom")


def draw_optics(folder: Path) -> None:
    """Pupil with plate, and the linear transfer of phase: even part (contrast) and odd part (asymmetry)."""
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.6))
    for place, (name, title) in enumerate(NAMES.items()):
        one = load_instrument(name)
        k = torch.linspace(-11, 11, 1101)
        kz, kx = torch.meshgrid(k, k, indexing="ij")
        pupil = optics.pupil(kx, kz, one.optics)
        axes[place].imshow(pupil.abs() * (1 + pupil.imag), cmap="gray", extent=[-11, 11, -11, 11])
        sx, sz, weight = optics.source_points(one.optics)
        axes[place].scatter(sx, sz, s=400 * weight, c="tab:orange", linewidths=0)
        axes[place].set(title=f"{title}: pupil, plate, condenser", xlabel="1/µm")
        q, transfer = phase_transfer(name)
        axes[2].plot(q, transfer.real, label=title)
        axes[3].plot(q, transfer.imag, label=title)
    axes[2].set(title="Re H: contrast", xlabel="q, 1/µm", xlim=(0, 2.5))
    axes[3].set(title="Im H: what turns round at 180°", xlabel="q, 1/µm", xlim=(0, 0.6))
    axes[2].legend()
    _save(figure, folder, "optics")


def phase_transfer(name: str) -> tuple[np.ndarray, np.ndarray]:
    """H(q) of delta I = H phi for a weak phase along x.

    H = i sum_s w [conj(P(k)) P(k + q) - P(k) conj(P(k - q))] / sum_s w |P(k)|^2.
    """
    one = load_instrument(name)
    points = optics.source_points(one.optics)
    kx, kz, weight = (torch.as_tensor(part, dtype=torch.float32)[:, None] for part in points)
    q = torch.linspace(0.002, 2.5, 1250)
    here = optics.pupil(kx, kz, one.optics)
    up, down = (optics.pupil(kx + sign * q, kz.expand(-1, len(q)), one.optics) for sign in (1, -1))
    total = 1j * (weight * (here.conj() * up - here * down.conj())).sum(0) / (weight * here.abs() ** 2).sum()
    return q.numpy(), total.numpy()


def draw_radiographs(folder: Path) -> None:
    """The same bone at 0 and, mirrored, at 180 degrees."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 6.4))
    for row, (name, title) in zip(axes, NAMES.items(), strict=True):
        imager = Imager(load_instrument(name), "medium", SEED)
        here = imager.clean(0.0)
        place = np.arange(256) - 2 * (imager.rotation_axis_px - 127.5)
        there = np.array([np.interp(place, np.arange(256), line) for line in imager.clean(np.pi)[:, ::-1]])
        for axis, picture, what in zip(row, (here, there), ("0°", "180°, mirrored"), strict=False):
            axis.imshow(picture, cmap="gray", vmin=0.2, vmax=np.percentile(here, 99.5))
            axis.set_title(f"{title}, {what}")
        row[2].imshow(there - here, cmap="RdBu_r", vmin=-0.6, vmax=0.6)
        row[2].set_title(f"difference, correlation {np.corrcoef(here.ravel(), there.ravel())[0, 1]:.2f}")
        for axis in row:
            axis.set_axis_off()
    _save(figure, folder, "radiographs")


def draw_slices(seen: dict[str, Seen], folder: Path) -> None:
    """Reconstruction, truth and what the published grey ranges make of it."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 8.9))
    for row, (name, one) in zip(axes, seen.items(), strict=True):
        grey = one.grey[1]
        row[0].imshow(grey, cmap="gray")
        row[0].set_title(f"{NAMES[name]}: reconstruction of a noisy scan")
        row[1].imshow(one.labels[1], cmap=LABELS, vmin=0, vmax=3)
        row[1].set_title("truth: bone, LCN (blue), shade-off (red)")
        guess = np.select([grey < 0.05, grey < 0.425, grey < 0.535, grey <= 0.89], [0, 2, 3, 1], 0)
        row[2].imshow(guess, cmap=LABELS, vmin=0, vmax=3)
        row[2].set_title("published grey ranges")
        for axis in row:
            axis.set_axis_off()
    _save(figure, folder, "slices")


def draw_profiles(seen: dict[str, Seen], folder: Path) -> None:
    """Grey value against depth at air and under polymer, and the classes' grey values."""
    figure, axes = plt.subplots(1, 4, figsize=(16, 3.7))
    for place, (name, one) in enumerate(seen.items()):
        for side, colour in (("air", "tab:blue"), ("polymer", "tab:orange")):
            depth, grey = rim_profile(one, under_polymer=side == "polymer")
            axes[place].plot(depth, grey, color=colour, label=f"facing {side}")
        axes[place].axvline(0, color="0.7", zorder=0)
        axes[place].set(title=f"{NAMES[name]}: across the surface", xlabel="depth, µm", ylim=(0.4, 1))
        axes[place].legend()
        bins = np.linspace(0, 1, 101)
        classes = {
            "air": (one.labels == 0) & ~one.polymer,
            "polymer": (one.labels == 0) & one.polymer,
            "bone": one.labels == 1,
            "LCN": one.labels == 2,
            "shade-off": one.labels == 3,
        }
        for what, where in classes.items():
            axes[2 + place].hist(
                one.grey[where & one.inside], bins, density=True, histtype="step", label=what
            )
        axes[2 + place].set(title=f"{NAMES[name]}: grey values", yticks=[])
    axes[2].legend()
    _save(figure, folder, "profiles")


def rim_profile(one: Seen, *, under_polymer: bool) -> tuple[np.ndarray, np.ndarray]:
    """Median clean grey value in steps of 0.1 um of signed depth, away from pores."""
    phantom, um, rows = one.imager.phantom, one.imager.pixel_um, one.rows
    inner, outer = (
        distance_transform_edt(m, sampling=um)[rows] for m in (phantom.envelope, ~phantom.envelope)
    )
    depth = np.where(inner > 0, inner - um / 2, um / 2 - outer)
    to_polymer = distance_transform_edt(phantom.polymer < 128, sampling=um)[rows]
    to_lcn = distance_transform_edt(phantom.labels != 2, sampling=um)[rows]
    side = to_polymer < np.abs(depth) + 0.6 if under_polymer else to_polymer > 9
    steps = np.arange(-1.5, 8, 0.1)
    where = side & (to_lcn > 0.8) & np.isfinite(one.clean)
    return steps, np.array([np.median(one.clean[where & (np.abs(depth - step) < 0.06)]) for step in steps])


def draw_camera(seen: Seen, folder: Path) -> None:
    """Raw frame, flat, drift of the flats, and a sinogram with its rings."""
    imager = seen.imager
    figure, axes = plt.subplots(1, 4, figsize=(16, 3.2))
    axes[0].imshow(imager.expose(angle_rad=0.3, exposure=50), cmap="gray")
    axes[0].set_title("raw projection")
    axes[1].imshow(np.mean(seen.flats, axis=0), cmap="gray")
    axes[1].set_title("mean flat")
    last = imager.projection_count + 40
    late = np.mean(
        [imager.expose(angle_rad=0, sample_in=False, exposure=last + n) for n in range(20)], axis=0
    )
    axes[2].imshow((late - 100) / np.mean(seen.flats, axis=0), cmap="gray", vmin=0.94, vmax=1.06)
    axes[2].set_title("flat after over flat before, 0.94-1.06")
    axes[3].imshow(seen.integrals[:, 1], cmap="gray", aspect="auto")
    axes[3].set_title("sinogram of one row")
    for axis in axes:
        axis.set_axis_off()
    _save(figure, folder, "camera")


def draw_sizes(folder: Path) -> None:
    """The middle slice at each size."""
    figure, axes = plt.subplots(2, len(SIZES), figsize=(3.5 * len(SIZES), 7.2))
    for row, (name, title) in zip(axes, NAMES.items(), strict=True):
        for axis, size in zip(row, SIZES.values(), strict=True):
            thin = replace(size, rows=min(size.rows, 48)) if size.name == "paper" else size
            one = Seen(Imager(load_instrument(name), thin, SEED), [thin.rows // 2])
            axis.imshow(one.grey[0], cmap="gray")
            pixel_nm = 1e3 * one.imager.pixel_um
            axis.set_title(f"{title}, {size.name}: {size.columns} px of {pixel_nm:.0f} nm", fontsize=9)
            axis.set_axis_off()
    _save(figure, folder, "sizes")


def _save(figure: plt.Figure, folder: Path, name: str) -> None:
    figure.tight_layout()
    figure.savefig(folder / f"simulator-{name}.png", dpi=75, pil_kwargs={"optimize": True})
    plt.close(figure)


def main() -> None:
    """Draw them all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    seen = {name: Seen(Imager(load_instrument(name), FIELD, SEED), [24, 48, 72]) for name in NAMES}
    draw_phantom(folder)
    draw_optics(folder)
    draw_radiographs(folder)
    draw_slices(seen, folder)
    draw_profiles(seen, folder)
    draw_camera(seen["anatomix"], folder)
    draw_sizes(folder)


if __name__ == "__main__":
    main()
