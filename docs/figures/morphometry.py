"""Draw docs/figures/morphometry.png: the page of a simulated bone with 8 lacunae.

    python docs/figures/morphometry.py

From the root of the repository; about a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

from streamlcn.morphometry import analyse, save_figure

ROOT = Path(__file__).parents[2]


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from tests.morphometry.network_phantom import network_phantom

    labels = network_phantom((300, 400, 400), 0.094, 8, 40, seed=1).labels
    title = "Simulated bone: morphometry of the lacuna-canalicular network"
    save_figure(analyse(labels, 0.094), ROOT / "docs" / "figures" / "morphometry.png", title)


if __name__ == "__main__":
    main()
