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


def __getattr__(name: str) -> Any:
    if name in ("document", "evaluate"):
        from streamlcn.training import _evaluate

        return getattr(_evaluate, name)
    if name in ("as_proposed", "propose_labels"):
        from streamlcn.training import _propose

        return getattr(_propose, name)
    if name == "read_labels":
        from streamlcn.training._data import read_labels

        return read_labels
    if name in ("finetune", "train"):
        from streamlcn.training import _train

        return getattr(_train, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
