"""Run the validation cases and print case, expectation, value and how much of the tolerance is used.

    python -m benchmarks.morphometry.cases [--csv TABLE] [--markdown FILE]

From the root of the repository; about a minute. Exits 1 if a case fails. ``--markdown`` writes
docs/morphometry-validation.md anew.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.morphometry.cases import Case, cases, value_of
from tests.morphometry.inputs import DATA


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, default=DATA / "cases.csv")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    results = []
    for case in cases(options.csv):
        value = value_of(case)
        results.append((case, value))
        print(line(case, value, " "), flush=True)
    failed = [case.id for case, value in results if used(case, value) > 1]
    print(f"{len(results)} cases, {len(failed)} failed: {failed}")
    if options.markdown:
        options.markdown.write_text(page(results), encoding="utf-8")
    sys.exit(1 if failed else 0)


def used(case: Case, value: float) -> float:
    """Return the difference as a part of what is allowed."""
    difference = abs(value - case.expected)
    if difference == 0:
        return 0.0
    return difference / case.allowed if case.allowed else float("inf")


def line(case: Case, value: float, separator: str) -> str:
    """Return one row of text."""
    share = used(case, value)
    cells = [
        f"{case.id:34s}", f"{case.quantity:42s}", f"{case.expected:14.9g}", f"{value:14.9g}", f"{share:7.1%}",
        "holds" if share <= 1 else "FAILS",
    ]  # fmt: skip
    return separator.join(cells)


def page(results: list[tuple[Case, float]]) -> str:
    """Return the whole page of documentation."""
    head = [
        "# Morphometry: validation cases",
        "",
        "Written by `python -m benchmarks.morphometry.cases --markdown docs/morphometry-validation.md`.",
        "`tests/data/morphometry/cases.csv` names each input, source and tolerance; *used* is the part of "
        "the tolerance that the difference takes.",
        "",
        "| case | quantity | expected | found | used | |",
        "|---|---|--:|--:|--:|---|",
    ]
    body = ["| " + " ".join(line(case, value, " | ").split()) + " |" for case, value in results]
    return "\n".join([*head, *body]) + "\n"


if __name__ == "__main__":
    main()
