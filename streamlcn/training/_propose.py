"""Which slices a person should label next, and a first guess to correct instead of an empty page."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files import write_volume
from streamlcn.segmentation._model import Model, load_model
from streamlcn.training._data import UNLABELLED

__all__ = ["ambiguity", "as_proposed", "most_informative", "propose_labels"]

_PROPOSAL = ".proposal.json"


def propose_labels(
    volume: npt.NDArray[np.float32],
    bundle: str | Path,
    out: str | Path,
    name: str,
    count: int,
    *,
    known: npt.NDArray[np.uint8] | None = None,
    voxel_size_um: float | None = None,
    device: str = "auto",
) -> tuple[int, ...]:
    """Choose ``count`` more slices and write training data to correct: NAME.volume.tif and NAME.labels.tif.

    ``volume`` is (z, y, x) float32. Labels of the chosen slices are the model's guess, those of ``known``
    (z, y, x uint8; 255 where nobody labelled) stay, all others are 255. Corrected in napari, Fiji or
    Dragonfly the folder is what training and fine-tuning take. Returns the chosen slices, the most
    informative first. Raises `BadInput` for labels of another shape, too few slices that nobody labelled, or
    a folder that holds such files already: they may have been corrected.
    """
    labels = np.full(volume.shape, UNLABELLED, np.uint8) if known is None else known.copy()
    if labels.shape != volume.shape:
        raise BadInput(f"known labels have shape {labels.shape}, the volume {volume.shape}")
    folder = Path(out)
    there = [path.name for path in folder.glob(f"{name}.*")]
    if there:
        raise BadInput(
            f"{folder} holds {there[0]} already, which may have been corrected: name another folder"
        )
    done = np.flatnonzero((labels != UNLABELLED).any(axis=(1, 2)))
    model = load_model(bundle, device=device)
    found, unsure = ambiguity(model, volume)
    chosen = most_informative(unsure, count, done)
    for z in chosen:
        labels[z] = found[z]
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(folder / f"{name}.volume.tif", volume, voxel_size_um)
    write_volume(folder / f"{name}.labels.tif", labels, voxel_size_um)
    told = {"model": model.description, "slices": {str(z): _digest(labels[z]) for z in chosen}}
    (folder / f"{name}{_PROPOSAL}").write_text(json.dumps(told, indent=1) + "\n")
    return chosen


def as_proposed(path: str | Path, labels: npt.NDArray[np.uint8]) -> tuple[int, ...]:
    """Return the slices of ``labels``, from a file of `propose_labels`, that are still its guess, upwards.

    Empty where no proposal lies beside the file. Nobody may have corrected them, or nothing was wrong.
    """
    path = Path(path)
    proposal = path.with_name(path.name.partition(".")[0] + _PROPOSAL)
    if not proposal.is_file():
        return ()
    guessed = json.loads(proposal.read_text())["slices"]
    return tuple(sorted(int(z) for z, digest in guessed.items() if _digest(labels[int(z)]) == digest))


def _digest(labels: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(labels, np.uint8).tobytes()).hexdigest()


def ambiguity(
    model: Model, volume: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Return labels (z, y, x) and per slice the sum of p (1 - p) of the LCN: what the model cannot decide."""
    labelling = model.segment_slabs(volume, 32)
    labels = np.concatenate([mask.classes for mask in labelling])
    return labels, labelling.tally.ambiguous


def most_informative(
    unsure: npt.NDArray[np.float64], count: int, done: npt.NDArray[np.intp]
) -> tuple[int, ...]:
    """Return ``count`` slices, one after the other the most ambiguous one for its distance from the others.

    Neighbours show nearly the same: a slice counts the less the nearer it is to one that is labelled or
    chosen already, linearly up to the distance that evenly spread slices would have. Raises `BadInput` where
    there are too few.
    """
    depth = len(unsure)
    if count < 1 or count > depth - len(done):
        raise BadInput(f"{count} slices were asked for, {depth - len(done)} of {depth} are not labelled yet")
    even = depth / (count + len(done))
    nearest = np.full(depth, np.inf)
    z = np.arange(depth)
    for each in done:
        nearest = np.minimum(nearest, np.abs(z - each))
    chosen: list[int] = []
    for _ in range(count):
        worth = (unsure + 1e-12) * np.minimum(nearest / even, 1.0)
        chosen.append(int(worth.argmax()))
        nearest = np.minimum(nearest, np.abs(z - chosen[-1]))
    return tuple(chosen)
