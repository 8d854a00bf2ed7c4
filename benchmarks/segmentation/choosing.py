"""Does it pay to label the slices that the model asks for?

    python benchmarks/segmentation/choosing.py WORK [--draws 3]

Incremental ground truth as in figure 3 of Silveira et al. 2024, on a simulated P05 scan whose truth stands in
for the person who corrects. Stages of 5, 10 and 20 labelled slices are chosen as `streamlcn label` does (the
latest model's most ambiguous ones), at random (several draws), or evenly spread; each stage fine-tunes the
bundled ANATOMIX network on what is labelled so far, with the same few steps, and is judged on another bone.
Interrupted, it goes on where it stopped. Writes ``choosing.json`` and prints a table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from one_scan import labelled_folder
from transfer import BUNDLE, RECIPE, begin, judged

from streamlcn.segmentation import load_model
from streamlcn.training import finetune
from streamlcn.training._data import LabelledScan
from streamlcn.training._propose import ambiguity, most_informative

STAGES = (5, 10, 20)
TUNING = RECIPE.model_copy(update={"epochs": 6, "learning_rate": 1e-3, "patience": None})
Choice = Callable[[list[int], int, Path], list[int]]


def main() -> None:
    """Go through the stages of every way to choose, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=3, help="random choices")
    chosen, scan, test = begin(parser)
    ways: dict[str, Choice] = {"most informative": _informative(scan), "evenly spread": _even(scan)}
    ways |= {f"random, draw {draw + 1}": _random(scan, draw) for draw in range(chosen.draws)}
    kept = chosen.work / "choosing.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    for name, choose in ways.items():
        labelled: list[int] = []
        model = BUNDLE
        for stage in STAGES:
            key = f"{name}, {stage}"
            out = chosen.work / key.replace(", ", "-").replace(" ", "-")
            if key not in figures:
                labelled = choose(labelled, stage, model)
                data = labelled_folder(chosen.work / "stage", scan, labelled)
                split = TUNING.split.model_copy(update={"by": "slices"})
                settings = TUNING.model_copy(update={"split": split})
                finetune(data, BUNDLE, out, seed=1, settings=settings)
                figures[key] = {"slices": sorted(labelled), **judged(out, test)}
                kept.write_text(json.dumps(figures, indent=1))
                print(key, figures[key], flush=True)
            labelled, model = figures[key]["slices"], out
    print(table(figures))


def _informative(scan: LabelledScan) -> Choice:
    def choose(labelled: list[int], count: int, model: Path) -> list[int]:
        _, unsure = ambiguity(load_model(model), scan.volume)
        more = most_informative(unsure, count - len(labelled), np.array(sorted(labelled), np.intp))
        return [*labelled, *more]

    return choose


def _random(scan: LabelledScan, draw: int) -> Choice:
    order = np.random.default_rng(draw).permutation(len(scan.labels)).tolist()
    return lambda _labelled, count, _model: order[:count]


def _even(scan: LabelledScan) -> Choice:
    last = len(scan.labels) - 1
    return lambda _labelled, count, _model: np.linspace(0, last, count).round().astype(int).tolist()


def table(figures: dict[str, dict[str, float]]) -> str:
    """Return Dice and clDice of the LCN by way and stage, in Markdown; random as mean and range."""
    ways = ("most informative", "evenly spread", "random")
    lines = ["| slices | " + " | ".join(f"{way}: Dice | clDice" for way in ways) + " |", "|--:|" + "---|" * 6]
    for stage in STAGES:
        cells = []
        for way in ways:
            found = [v for key, v in figures.items() if key.startswith(way) and key.endswith(f", {stage}")]
            cells += [_range([each[name] for each in found]) for name in ("lcn", "clDice")]
        lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _range(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
