"""Print the lines of each module, longest first, and their median: `python docs/sizes.py [FOLDER …]`."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]


def main(folders: list[str]) -> None:
    """Print one line per module of ``folders``."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    sizes = sorted(((len(path.read_text("utf-8").splitlines()), path) for path in paths), reverse=True)
    for lines, path in sizes:
        print(f"{lines:5d}  {path.relative_to(ROOT)}")
    print(f"{sum(lines for lines, _ in sizes):5d}  in {len(sizes)} modules")
    print(f"{median(lines for lines, _ in sizes):5.0f}  median")


if __name__ == "__main__":
    main(sys.argv[1:] or ["streamlcn", "simulators", "tests"])
