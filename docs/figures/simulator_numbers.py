"""Print the measured table of docs/simulator.md: `python docs/figures/simulator_numbers.py`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt
from simulator import Seen

from simulators.imager import Imager
from simulators.instruments import load_instrument
from simulators.shade_off import label_shade_off
from simulators.sizes import Size

FIELD = Size(name="numbers", rows=32, columns=256, binning=2, projection_count=360)
SEEDS = range(1, 6)
RANGES = {1: (0.535, 0.89), 2: (0.05, 0.425), 3: (0.425, 0.535)}


def dice(one: np.ndarray, two: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|)."""
    return 2 * np.count_nonzero(one & two) / max(np.count_nonzero(one) + np.count_nonzero(two), 1)


def otsu(grey: np.ndarray) -> float:
    """Threshold of the greatest variance between two classes."""
    counts, edges = np.histogram(grey, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    mass = np.cumsum(counts * centres)
    above = counts.sum() - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (mass[:-1] / below - (mass[-1] - mass[:-1]) / above) ** 2
    return float(centres[np.nanargmax(between)])


def measure(optics: str, sample: str, seed: int) -> dict[str, float]:
    """Everything the tables report about one bone of one kind in one microscope."""
    instrument = replace(load_instrument(optics), sample=load_instrument(sample).sample)
    imager = Imager(instrument, FIELD, seed)
    one = Seen(imager, list(range(12, 20, 2)))
    grey, labels = one.grey, one.labels
    envelope = labels > 0
    depth = distance_transform_edt(imager.phantom.envelope, sampling=imager.pixel_um)[one.rows]
    pores = distance_transform_edt(imager.phantom.labels != 2, sampling=imager.pixel_um)[one.rows]
    bone = envelope & (pores > 0.8)
    classes = {
        "air": (labels == 0) & ~one.polymer & one.inside,
        "polymer": (labels == 0) & one.polymer & one.inside,
        "LCN": labels == 2,
        "shade-off": labels == 3,
        "core": bone & (depth > 5),
        "rim": bone & (depth < 0.5),
    }
    level = otsu(grey[envelope])
    result = {f"grey {name}": float(np.median(grey[where])) for name, where in classes.items() if where.any()}
    result |= {
        f"ranges {label}": dice((grey >= low) & (grey < high), labels == label)
        for label, (low, high) in RANGES.items()
    }
    result["Otsu LCN"] = dice((grey < level) & envelope, labels == 2)
    result["Otsu porosity"] = np.count_nonzero((grey < level) & envelope) / np.count_nonzero(envelope)
    result["best LCN"] = max(dice((grey < at) & envelope, labels == 2) for at in np.linspace(0.02, 0.8, 79))
    result["true porosity"] = np.count_nonzero(labels == 2) / np.count_nonzero(envelope)
    for threshold in (0.08, 0.12, 0.16):
        _, rule = label_shade_off(imager.microscope, imager.nominal_angles_rad, threshold=threshold)
        result[f"shade-off {threshold}"] = rule.fraction_of_bone
    here, there = imager.clean(0.0), imager.clean(np.pi)[:, ::-1]
    place = np.arange(256) - 2 * (imager.rotation_axis_px - 127.5)
    there = np.array([np.interp(place, np.arange(256), line) for line in there])
    result["0/180 correlation"] = float(np.corrcoef(here[:, 8:-8].ravel(), there[:, 8:-8].ravel())[0, 1])
    result["noise"] = float((one.grey - one.clean)[bone].std())
    result["structure"] = float(one.clean[bone].std())
    return result


def main() -> None:
    """Cross both microscopes with both kinds of bone over five seeds; mean and standard deviation."""
    columns = {}
    for optics in ("anatomix", "p05"):
        for sample in ("anatomix", "p05"):
            columns[f"{optics} optics, {sample} bone"] = [measure(optics, sample, seed) for seed in SEEDS]
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for key in next(iter(columns.values()))[0]:
        cells = []
        for results in columns.values():
            values = [result[key] for result in results if key in result]
            cells.append(f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "-")
        print(f"| {key} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
