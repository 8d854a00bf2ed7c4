"""Loss and Dice over epochs as a picture."""

from __future__ import annotations

from pathlib import Path

from streamlcn.training._report import EpochRecord

__all__ = ["save_curves"]


def save_curves(path: Path, records: list[EpochRecord], classes: tuple[str, ...], title: str) -> None:
    """Write a PNG: loss on the left, Dice of each class on the right; training dashed, held out solid."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    loss, dice = figure.subplots(1, 2)
    epochs = [record.epoch for record in records]
    loss.plot(epochs, [record.training_loss for record in records], "--", color="0.4", label="training")
    loss.plot(epochs, [record.validation_loss for record in records], color="0.1", label="held out")
    loss.set(xlabel="epoch", ylabel="loss", yscale="log")
    for index, name in enumerate(classes):
        line = dice.plot(epochs, [record.validation_dice[index] for record in records], label=name)[0]
        dice.plot(epochs, [record.training_dice[index] for record in records], "--", color=line.get_color())
    dice.set(xlabel="epoch", ylabel="Dice on patches", ylim=(0, 1.01))
    loss.legend(frameon=False)
    dice.legend(frameon=False, loc="lower right")
    figure.suptitle(title)
    figure.savefig(path, dpi=80, metadata={"Software": None})
