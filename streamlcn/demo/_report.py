"""What the demonstration prints at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from streamlcn.model import CLASS_NAMES

__all__ = ["Comparison", "compare", "comparison_table"]

_ROWS = (
    ("LCN porosity (LCN over bone plus LCN)", ("lcn", "porosity"), 100.0, "%", 2),
    ("LCN porosity (LCN over bone)", ("lcn", "porosity_of_bone"), 100.0, "%", 2),
    ("LCN volume", ("lcn", "volume_um3"), 1.0, "µm³", 1),
    ("bone volume", ("bone", "volume_um3"), 1.0, "µm³", 0),
    ("mean local thickness", ("lcn", "thickness_mean_um"), 1.0, "µm", 3),
    ("largest local thickness", ("lcn", "thickness_max_um"), 1.0, "µm", 2),
    ("lacunae", ("lacunae", "count"), 1.0, "", 0),
    ("lacunae per mm³", ("lacunae", "density_per_mm3"), 1.0, "", 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Measured values beside the phantom's, and the Dice coefficient of each class."""

    measured: dict[str, Any]
    truth: dict[str, Any]
    dice: dict[str, float | None]


def compare(
    measured: dict[str, Any],
    labels: npt.NDArray[np.uint8],
    truth: npt.NDArray[np.uint8],
    voxel_size_um: float,
) -> Comparison:
    """Measure the true labels as the daemon measures its own and set both side by side.

    Dice (1945): twice the intersection over the sum of both; None where a class is in neither.
    """
    from streamlcn.morphometry import measure

    dice: dict[str, float | None] = {}
    for value, name in enumerate(CLASS_NAMES):
        ours, theirs = labels == value, truth == value
        total = int(ours.sum()) + int(theirs.sum())
        dice[name] = 2 * int((ours & theirs).sum()) / total if total else None
    return Comparison(
        measured=measured,
        truth=measure(truth, voxel_size_um).model_dump(mode="json"),
        dice=dice,
    )


def comparison_table(comparison: Comparison) -> Table:
    """Return the table that people see."""
    table = Table(title="Morphometry, read back from tiled", title_justify="left")
    table.add_column("")
    table.add_column("measured", justify="right", style="bold")
    table.add_column("phantom", justify="right")
    for label, (section, name), factor, unit, digits in _ROWS:
        row = [
            _shown(values.get(section, {}).get(name), factor, unit, digits)
            for values in (comparison.measured, comparison.truth)
        ]
        table.add_row(label, *row)
    table.add_section()
    for name, value in comparison.dice.items():
        table.add_row(
            f"Dice of {name.replace('_', '-').replace('lcn', 'LCN')}", _shown(value, 1.0, "", 3), "1"
        )
    return table


def _shown(value: float | None, factor: float, unit: str, digits: int) -> str:
    return "–" if value is None else f"{value * factor:,.{digits}f} {unit}".strip()
