"""Draw docs/figures/reconstruction-*.png: real scans through the whole path.

    python docs/figures/reconstruction.py

The scans are described in tests/data/tomography/README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy import ndimage

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "reconstruction"))

from scans import RealScan, dendrite, k11, tooth  # noqa: E402

from streamlcn.reconstruction import ReconstructionSettings, reconstruct  # noqa: E402

mpl.use("agg")


def draw(
    name: str,
    scan: RealScan,
    panels: list[tuple[str, dict[str, object], tuple[slice, slice]]],
    smooth_px: float = 0.0,
) -> None:
    """Draw one slice per panel: title, settings, and the part of the slice that is shown."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 5.4), layout="constrained")
    for axis, (title, settings, part) in zip(np.atleast_1d(axes), panels, strict=True):
        image = reconstruct(
            scan.projections,
            scan.flats,
            scan.darks,
            scan.angles_rad,
            settings=ReconstructionSettings.model_validate(settings),
            is_line_integral=scan.flats is None,
            flats_after=scan.flats_after,
        )[0][part]
        if smooth_px:
            image = ndimage.gaussian_filter(image, smooth_px)
        low, high = np.percentile(image[image != 0], (0.5, 99.7))
        shown = axis.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        figure.colorbar(shown, ax=axis, shrink=0.8, label="1/pixel")
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    figure.savefig(ROOT / "docs" / "figures" / f"reconstruction-{name}.png", dpi=80)
    plt.close(figure)


def main() -> None:
    """Draw all."""
    everything, middle = (slice(None), slice(None)), (slice(200, 460), slice(170, 430))
    plain: dict[str, object] = {"median_radius_px": 0}
    known = {"value": 295.8}
    draw(
        "tooth",
        tooth(),
        [
            ("centre found", {"correction": plain}, everything),
            ("in detail", {"correction": plain}, middle),
            ("2 pixels beside", {"correction": plain, "centre": {"value": 297.8}}, middle),
            ("median of radius 2", {"correction": {"median_radius_px": 2}, "centre": known}, middle),
        ],
    )
    rings = {**plain, "rings": "mean"}
    draw(
        "dendrite",
        dendrite(),
        [
            (
                "as measured, smoothed over 2 pixels",
                {"correction": plain, "centre": {"value": 629.6}},
                everything,
            ),
            (
                "rings subtracted, smoothed alike",
                {"correction": rings, "centre": {"value": 629.6}},
                everything,
            ),
        ],
        smooth_px=2.0,
    )
    inner = {"value": 12.5}
    draw(
        "k11",
        k11(),
        [
            ("flats before", {"correction": {**plain, "flats": "before"}, "centre": inner}, everything),
            ("interpolated", {"correction": {**plain, "flats": "interpolate"}, "centre": inner}, everything),
            (
                "zeros beyond the detector",
                {"correction": plain, "centre": inner, "method": {"backend": "fbp", "padding": "zero"}},
                everything,
            ),
        ],
    )


if __name__ == "__main__":
    main()
