"""What training makes small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamlcn.training._data import UNLABELLED

__all__ = ["soft_dice_loss", "total_loss"]


def total_loss(logits: Tensor, labels: Tensor, kind: str) -> Tensor:
    """Return the loss of logits (n, class, y, x) for labels (n, y, x); 255 is left out."""
    entropy = functional.cross_entropy(logits, labels, ignore_index=UNLABELLED)
    return entropy + soft_dice_loss(logits, labels) if kind == "cross_entropy_dice" else entropy


def soft_dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - 2 |P G| / (|P| + |G|), probabilities P, truth G, mean over classes (Milletari et al. 2016).

    Sums run over the whole batch. Classes that the batch does not hold are left out.
    """
    known = labels != UNLABELLED
    count = logits.shape[1]
    truth = functional.one_hot(labels.where(known, torch.zeros_like(labels)), count).movedim(-1, 1)
    truth = truth * known[:, None]
    likely = logits.softmax(dim=1) * known[:, None]
    over = (0, 2, 3)
    size = truth.sum(over)
    dice = (2 * (likely * truth).sum(over) + 1) / (likely.sum(over) + size + 1)
    there = size > 0
    return 1 - dice[there].mean() if bool(there.any()) else logits.sum() * 0
