"""How much of the field of view, and how finely, a simulated scan samples."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.instruments import Instrument


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Detector and scan of one size; binning multiplies the instrument's pixel."""

    name: str
    rows: int
    columns: int
    binning: int
    projection_count: int
    pore_scale: float = 1.0
    """Lacunae, their depth and canaliculi, and the polymer shrink with it where the field is small."""

    def pixel_um(self, instrument: Instrument) -> float:
        """Pixel and voxel size."""
        return instrument.pixel_um * self.binning


SIZES = {
    size.name: size
    for size in (
        Size(name="tiny", rows=48, columns=64, binning=3, projection_count=90, pore_scale=0.5),
        Size(name="demo", rows=96, columns=96, binning=2, projection_count=120, pore_scale=0.5),
        Size(name="small", rows=144, columns=192, binning=2, projection_count=180),
        Size(name="medium", rows=210, columns=256, binning=2, projection_count=360),
        Size(name="slab", rows=72, columns=512, binning=1, projection_count=720),
        Size(name="paper", rows=420, columns=512, binning=1, projection_count=720),
    )
}


def size_named(name: str | Size) -> Size:
    """Find a size by name; a `Size` passes through. Raises ValueError for an unknown name."""
    if isinstance(name, Size):
        return name
    if name not in SIZES:
        raise ValueError(f"no size named {name!r}: choose one of {', '.join(SIZES)}")
    return SIZES[name]
