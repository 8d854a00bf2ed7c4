"""Tables, tests and figure of `study.py`, from the figures that it left in its folder."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

__all__ = ["PUBLISHED_BEST", "PUBLISHED_EPOCHS", "write_report"]

PUBLISHED_EPOCHS = {
    ("sensor3d", 32): (71, 67, 52, 30, 97),
    ("sensor3d", 64): (65, 30, 45, 56, 90),
    ("unet", 32): (30, 43, 45, 56, 51),
    ("unet", 64): (65, 25, 119, 55, 65),
}
"""Epochs at 10, 20, 30, 50 and 70 slices (Silveira et al. 2024, figure 5)."""
PUBLISHED_SLICES = (10, 20, 30, 50, 70)
PUBLISHED_BEST = {"network": "sensor3d", "batch": 32, "slices": 70, "accuracy": 0.983, "loss": 0.032}

Cell = dict[str, Any]
_key = itemgetter("network", "batch", "slices")


def write_report(work: Path) -> None:
    """Write ``study.md`` and ``study.png``; say so where no cell is done."""
    cells = [json.loads(path.read_text()) for path in sorted((work / "cells").glob("*.json"))]
    if not cells:
        print(f"{work} holds no finished cell yet")
        return
    cells.sort(key=_key)
    otsu = json.loads((work / "otsu.json").read_text()) if (work / "otsu.json").exists() else {}
    text = "\n".join([*_trainings(cells), "", *_tested(cells, otsu), "", *_tests(cells), ""])
    (work / "study.md").write_text(text)
    _figure(cells).savefig(work / "study.png", dpi=100)
    print(text)


def _trainings(cells: list[Cell]) -> list[str]:
    """How each training went, beside the published number of epochs."""
    lines = [
        "Accuracy is the mean Dice over the classes, on patches of the last epoch. Base widths: "
        + ", ".join(sorted({f"{cell['network']} {cell['base']}" for cell in cells})),
        "",
        "| network | batch | slices | epochs | paper | min | accuracy, training | validation "
        "| loss, training | validation |",
        "|---|" + "--:|" * 9,
    ]
    for cell in cells:
        numbers = [
            cell["epochs"],
            _published_epochs(cell),
            f"{cell['seconds'] / 60:.1f}",
            *(f"{cell[f'{part}_accuracy']:.3f}" for part in ("training", "validation")),
            *(f"{cell[f'{part}_loss']:.3f}" for part in ("training", "validation")),
        ]
        lines.append(_row(*_key(cell), *numbers))
    best = PUBLISHED_BEST
    network, batch, slices = _key(best)
    numbers = ["", _published_epochs(best), "", best["accuracy"], "", best["loss"], ""]
    lines.append(_row(f"paper, best: {network}", batch, slices, *numbers))
    return lines


def _published_epochs(cell: Cell) -> int | str:
    """Epochs that the same training took in the paper; empty where the paper has none like it."""
    epochs = PUBLISHED_EPOCHS.get((cell["network"], cell["batch"]), ())
    return dict(zip(PUBLISHED_SLICES, epochs, strict=False)).get(cell["slices"], "")


def _tested(cells: list[Cell], otsu: dict[str, Any]) -> list[str]:
    """What each network does on slices that no training saw, beside thresholds."""
    lines = [
        "Dice on slices that no training saw, and clDice of the LCN:",
        "",
        "| network | batch | slices | LCN | bone | shade-off | clDice |",
        "|---|" + "--:|" * 6,
        *(_row(*_key(cell), *_dice(cell)) for cell in cells),
    ]
    for ranges, name in (("paper", "published grey ranges"), ("three", "Otsu, two thresholds")):
        if ranges in otsu:
            lines.append(_row(name, "", "", *_dice(otsu[ranges])))
    return lines


def _row(*entries: Any) -> str:
    return "| " + " | ".join(map(str, entries)) + " |"


def _dice(figures: dict[str, Any]) -> list[str]:
    dice, lines = figures["test_dice"], figures["test_cl_dice"]
    cells = [f"{dice[name]:.3f}" if name in dice else "" for name in ("lcn", "bone", "shade_off")]
    return [*cells, "" if lines is None else f"{lines:.3f}"]


def _tests(cells: list[Cell]) -> list[str]:
    """Wilcoxon between networks, Spearman along slices and batch sizes, as published."""
    lines = []
    by_key = {_key(cell): cell for cell in cells}
    pairs = [key[1:] for key in by_key if key[0] == "unet" and ("sensor3d", *key[1:]) in by_key]
    for measure in ("validation_accuracy", "validation_loss"):
        ours = [[by_key[(network, *pair)][measure] for pair in pairs] for network in ("sensor3d", "unet")]
        if len(pairs) >= 2 and ours[0] != ours[1]:
            p = float(stats.wilcoxon(*ours).pvalue)
            lines.append(f"- Wilcoxon, Sensor3D against U-Net, {measure}, {len(pairs)} pairs: p = {p:.3f}")
    for network, batch in sorted({(cell["network"], cell["batch"]) for cell in cells}):
        own = [cell for cell in cells if (cell["network"], cell["batch"]) == (network, batch)]
        if len(own) >= 3:
            told = _spearman([c["slices"] for c in own], [c["validation_accuracy"] for c in own])
            lines.append(f"- Spearman, slices and validation accuracy, {network}, batch {batch}: {told}")
    if len({cell["batch"] for cell in cells}) > 1:
        told = _spearman([c["batch"] for c in cells], [c["validation_accuracy"] for c in cells])
        lines.append(f"- Spearman, batch size and validation accuracy: {told}")
    lines.append(
        "- Published: no significant difference between networks or batch sizes (p > 0.05); correlation 0.95 "
        "between slices and accuracy at batch 32."
    )
    return lines


def _spearman(one: list[float], other: list[float]) -> str:
    """Tell rho and p from permutations (all of them where they are few): five pairs are too few for t."""
    rho = float(stats.spearmanr(one, other).statistic)
    test = stats.permutation_test(
        (one,),
        lambda ordered: stats.spearmanr(ordered, other).statistic,
        permutation_type="pairings",
        n_resamples=9999,
        rng=1,
    )
    return f"rho = {rho:.2f}, p = {float(test.pvalue):.3f}"


def _figure(cells: list[Cell]) -> Figure:
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    for network, batch in sorted({(cell["network"], cell["batch"]) for cell in cells}):
        own = [cell for cell in cells if (cell["network"], cell["batch"]) == (network, batch)]
        slices = [cell["slices"] for cell in own]
        style = {"linestyle": "-" if network == "sensor3d" else "--", "marker": "o" if batch == 32 else "s"}
        for row, part in enumerate(("training", "validation")):
            for column, measure in enumerate(("accuracy", "loss")):
                values = np.array([cell[f"{part}_{measure}"] for cell in own])
                axes[row][column].plot(slices, values, label=f"{network}, batch {batch}", **style)
                axes[row][column].set(ylabel=f"{part} {measure}")
    for column in range(2):
        axes[1][column].set(xlabel="labelled slices")
    axes[0][0].axhline(PUBLISHED_BEST["accuracy"], color="0.7", linewidth=1, label="published best")
    axes[0][1].axhline(PUBLISHED_BEST["loss"], color="0.7", linewidth=1)
    axes[0][0].legend(frameon=False, fontsize=8)
    return figure
