"""A training that can be interrupted: everything the next epoch depends on, in one file without pickles."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from streamlcn.errors import BadInput
from streamlcn.segmentation._build import Network
from streamlcn.training._report import EpochRecord
from streamlcn.training._stopper import Stopper

__all__ = ["Checkpoint", "Learning"]


@dataclass(slots=True)
class Learning:
    """What changes while a network learns."""

    network: Network
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    stopper: Stopper
    rng: np.random.Generator
    records: list[EpochRecord]


class Checkpoint:
    """Where the state of one training is kept until it is done.

    Its name holds a hash of ``told``, which is everything that determines the training: the same training
    goes on where it stopped, another one begins anew and leaves this file alone.
    """

    def __init__(self, folder: Path, told: Any) -> None:
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        self.path = folder / f"{digest[:16]}.safetensors"

    def save(self, learning: Learning) -> None:
        """Write the state after an epoch; a reader never sees half of it."""
        optimiser = learning.optimiser.state_dict()
        tensors = {f"network.{key}": value for key, value in learning.network.state_dict().items()}
        for index, values in optimiser["state"].items():
            tensors |= {f"optimiser.{index}.{key}": value for key, value in values.items()}
        state = {
            "groups": optimiser["param_groups"],
            "schedule": learning.schedule.state_dict(),
            "stopper": asdict(learning.stopper),
            "rng": learning.rng.bit_generator.state,
            "records": [record.model_dump() for record in learning.records],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        whole = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        save_file(whole, part, metadata={"state": json.dumps(state)})
        part.replace(self.path)

    def load(self, learning: Learning) -> None:
        """Put the state of the last finished epoch into ``learning``, if there is one.

        Raises `BadInput` for a file that cannot be read.
        """
        if not self.path.is_file():
            return
        try:
            with safe_open(self.path, framework="pt") as file:
                state = json.loads(file.metadata()["state"])
                tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise BadInput(
                f"{self.path} is no state of a training: remove it to begin anew ({error})"
            ) from error
        learning.network.load_state_dict(_below("network.", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _below("optimiser.", tensors).items():
            index, _, name = key.partition(".")
            moments.setdefault(int(index), {})[name] = value
        learning.optimiser.load_state_dict({"state": moments, "param_groups": state["groups"]})
        learning.schedule.load_state_dict(state["schedule"])
        learning.stopper = Stopper(**state["stopper"])
        learning.rng.bit_generator.state = state["rng"]
        learning.records = [EpochRecord.model_validate(record) for record in state["records"]]

    def remove(self) -> None:
        """Forget the state: the training is done. Other trainings' states stay."""
        self.path.unlink(missing_ok=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
