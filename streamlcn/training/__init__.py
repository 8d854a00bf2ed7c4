"""From labelled volumes to model bundles, and how good those are.

Importing this package does not load torch; training does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlcn.training._report import EpochRecord, Evaluation, ScanEvaluation, TrainingReport
from streamlcn.training.settings import FAST, FINE_TUNING, PAPER, RECIPES, TrainingSettings

if TYPE_CHECKING:
    from streamlcn.training._data import read_labels
    from streamlcn.training._evaluate import document, evaluate
    from streamlcn.training._propose import as_proposed, propose_labels
    from streamlcn.training._train import finetune, train

__all__ = [
    "FAST",
    "FINE_TUNING",
    "PAPER",
    "RECIPES",
    "EpochRecord",
    "Evaluation",
    "ScanEvaluation",
    "TrainingReport",
    "TrainingSettings",
    "as_proposed",
    "document",
    "evaluate",
    "finetune",
    "propose_labels",
    "read_labels",
    "train",
]


_HOMES = {
    "as_proposed": "_propose",
    "document": "_evaluate",
    "evaluate": "_evaluate",
    "finetune": "_train",
    "propose_labels": "_propose",
    "read_labels": "_data",
    "train": "_train",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
