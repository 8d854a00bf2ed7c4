"""The loop: steps, epochs, validation, and when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamlcn.errors import BadInput
from streamlcn.segmentation._build import Network
from streamlcn.training._checkpoint import Checkpoint, Learning
from streamlcn.training._loss import total_loss
from streamlcn.training._patches import Batch, Sampler
from streamlcn.training._report import EpochRecord
from streamlcn.training._stopper import Stopper
from streamlcn.training.settings import TrainingSettings

__all__ = ["Progress", "run_epochs"]

Progress: TypeAlias = Callable[[EpochRecord, int], None]
"""Called after each epoch with its record and the number of epochs at most."""

_VALIDATION_BATCHES = 8
_WARM_UP = 0.05


def run_epochs(
    network: Network,
    training: Sampler,
    validation: Sampler,
    settings: TrainingSettings,
    steps_per_epoch: int,
    seed: int,
    device: torch.device,
    progress: Progress | None,
    checkpoint: Checkpoint,
) -> tuple[list[EpochRecord], str]:
    """Train in place; return the epochs and why it ended.

    Goes on behind the last epoch that ``checkpoint`` holds, to the same weights as without the interruption.
    Raises `BadInput` where the loss runs away.
    """
    fixed = np.random.default_rng([seed, 0xA11])
    checks = [validation.batch(settings.batch, fixed, None) for _ in range(_VALIDATION_BATCHES)]
    optimiser, schedule = _optimiser(network, settings, settings.epochs * steps_per_epoch)
    learning = Learning(
        network=network,
        optimiser=optimiser,
        schedule=schedule,
        stopper=Stopper(settings.patience, settings.min_delta, settings.delta_mode == "relative"),
        rng=np.random.default_rng([seed, 0x7A1]),
        records=[],
    )
    checkpoint.load(learning)
    while len(learning.records) < settings.epochs and not learning.stopper.is_done:
        record = _epoch(learning, training, checks, settings, steps_per_epoch, device)
        learning.records.append(record)
        if not math.isfinite(record.training_loss):
            raise BadInput(
                f"the loss ran away in epoch {record.epoch}: lower learning_rate ({settings.learning_rate:g})"
            )
        watched = record.validation_loss if settings.monitor == "validation" else record.training_loss
        learning.stopper.says_stop(watched)
        checkpoint.save(learning)
        if progress is not None:
            progress(record, settings.epochs)
    if learning.stopper.is_done:
        return learning.records, f"{settings.monitor} loss stood still for {settings.patience} epochs"
    return learning.records, "all epochs done"


def _epoch(
    learning: Learning,
    training: Sampler,
    checks: list[Batch],
    settings: TrainingSettings,
    steps: int,
    device: torch.device,
) -> EpochRecord:
    started = time.perf_counter()
    network = learning.network.train()
    tally = _Tally(network.config.class_count)
    for _ in range(steps):
        batch = training.batch(settings.batch, learning.rng, settings.augment)
        loss = _loss_of(network, batch, settings, device, tally)
        learning.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        learning.optimiser.step()
        learning.schedule.step()
    checked = _validate(network, checks, settings, device)
    return EpochRecord(
        epoch=len(learning.records) + 1,
        training_loss=tally.loss,
        training_dice=tally.dice,
        validation_loss=checked.loss,
        validation_dice=checked.dice,
        seconds=time.perf_counter() - started,
    )


def _optimiser(
    network: Network, settings: TrainingSettings, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    rate = settings.learning_rate
    if settings.optimiser == "adadelta":
        delta = torch.optim.Adadelta(network.parameters(), lr=rate, rho=0.95, eps=1e-7)
        return delta, torch.optim.lr_scheduler.ConstantLR(delta, factor=1.0)
    adam = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    warm = max(1, round(_WARM_UP * steps))

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return adam, torch.optim.lr_scheduler.LambdaLR(adam, share)


class _Tally:
    """Loss and Dice over an epoch, summed over voxels and divided last."""

    def __init__(self, classes: int) -> None:
        self._loss, self._batches = 0.0, 0
        self._both = np.zeros(classes)
        self._sizes = np.zeros(classes)

    def add(self, loss: float, predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> None:
        self._loss, self._batches = self._loss + loss, self._batches + 1
        for index in range(len(self._both)):
            one, other = (predicted == index) & (labels != 255), labels == index
            self._both[index] += (one & other).sum()
            self._sizes[index] += one.sum() + other.sum()

    @property
    def loss(self) -> float:
        return self._loss / max(1, self._batches)

    @property
    def dice(self) -> tuple[float, ...]:
        return tuple((2 * self._both / np.maximum(self._sizes, 1)).tolist())


def _loss_of(
    network: Network,
    batch: Batch,
    settings: TrainingSettings,
    device: torch.device,
    tally: _Tally,
) -> Tensor:
    window, labels = (torch.from_numpy(each).to(device) for each in batch)
    window = window if network.config.kind == "sensor3d" else window[:, 1:2].contiguous()
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        logits = network(window)
    logits = logits.float()
    loss = total_loss(logits, labels, settings.loss)
    tally.add(float(loss.detach()), logits.detach().argmax(dim=1).cpu().numpy(), batch[1])
    return loss


def _validate(
    network: Network,
    checks: list[Batch],
    settings: TrainingSettings,
    device: torch.device,
) -> _Tally:
    network.eval()
    tally = _Tally(network.config.class_count)
    with torch.inference_mode():
        for batch in checks:
            _loss_of(network, batch, settings, device, tally)
    return tally
