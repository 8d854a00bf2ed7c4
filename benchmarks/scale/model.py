"""What scans of a given size need in processors, memory, network and disk: the model of docs/scale.md.

    python benchmarks/scale/model.py --side 2048 --projections 1500 --rate 12

The constants are processor seconds as `throughput.py` and `stages.py` measured them on one machine; measure
yours and change them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import ceil, pi

CORRECT_NS = 64.0  # per pixel, with the median of radius 2; 4.3 without
KEEP_NS = 3.4  # per pixel: hash and write line integrals
FILTER_NS = 15.3  # per pixel, in slabs of 64 rows
UPDATES_PER_S = 7.2e9  # of voxels by projections
LABEL_US = 4.67  # per voxel, the bundled network of ANATOMIX on a processor
MEASURE_US = 0.198  # per voxel, docs/morphometry-benchmark.md
TASK_S = 0.012  # of the coordinator per task
TASK_BYTES = 5200.0
SLAB_ROWS, BATCH = 64, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A cube of ``side`` voxels from ``projections`` frames at ``rate`` per second."""

    side: int
    projections: int
    rate: float

    @property
    def pixels(self) -> float:
        return float(self.projections * self.side**2)

    @property
    def voxels(self) -> float:
        return float(self.side**3)

    @property
    def seconds(self) -> float:
        return self.projections / self.rate

    def needs(self) -> list[tuple[str, str]]:
        """Return the rows of the table."""
        slabs = ceil(self.side / SLAB_ROWS)
        tasks = slabs * (ceil(self.projections / BATCH) + 2)
        updates = self.voxels * pi / 4 * self.projections
        coordinate = self.pixels * (CORRECT_NS + KEEP_NS) * 1e-9
        project = updates / UPDATES_PER_S + self.pixels * FILTER_NS * 1e-9
        lines, volume, labels = 4 * self.pixels, 4 * self.voxels, self.voxels
        halo = (SLAB_ROWS + 2) / SLAB_ROWS
        return [
            ("scan", f"{self.seconds:.0f} s, {2 * self.pixels / 1e9:.1f} GB of frames"),
            ("coordinator: correct, keep", f"{coordinate:.0f} CPU s, {coordinate / self.seconds:.1f} cores"),
            ("workers: filter, back-project", f"{project:.0f} CPU s, {project / self.seconds:.1f} cores"),
            ("workers: label", f"{self.voxels * LABEL_US * 1e-6:.0f} CPU s"),
            ("coordinator: measure", f"{self.voxels * MEASURE_US * 1e-6:.0f} CPU s"),
            ("tasks", f"{tasks}, at most {slabs * self.rate / BATCH:.0f} a second"),
            ("CPU s of a task", f"{project / slabs / ceil(self.projections / BATCH):.2f}"),
            (
                "over the scheduler",
                f"{tasks * TASK_BYTES / 1e6:.0f} MB, {tasks * TASK_S:.0f} s of the coordinator",
            ),
            (
                "written to the shared folder",
                f"{(lines + volume + labels) / 1e9:.0f} GB, which is what it holds",
            ),
            ("read from it", f"{(lines + volume * (1 + halo) + labels) / 1e9:.0f} GB"),
            ("while it runs", f"{lines / self.seconds / 1e6:.0f} MB/s written, as much read"),
            ("per slab", f"{lines / slabs / 1e9:.2f} GB of lines, {volume / slabs / 1e9:.2f} GB of voxels"),
            ("memory of all workers", f"{volume / 0.6 / 1e9:.0f} GB"),
            ("memory of the coordinator", f"{(2 * self.pixels + 13 * self.voxels) / 1e9:.0f} GB"),
        ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--projections", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=12.0)
    given = parser.parse_args()
    for name, value in Scan(side=given.side, projections=given.projections, rate=given.rate).needs():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
