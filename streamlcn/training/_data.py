"""Folders of volumes with their labels.

A folder holds, per scan NAME, either ``NAME.h5`` with the datasets ``/volume`` and ``/labels``, or the pair
``NAME.volume.<suffix>`` and ``NAME.labels.<suffix>`` in any format that volumes come in (.h5, .npy, .tif,
.zarr). Labels are those of `streamlcn.model.Label`; 255 marks voxels that nobody labelled.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files import open_volume, read_volume
from streamlcn.model import CLASS_NAMES, Label

__all__ = [
    "UNLABELLED",
    "LabelledScan",
    "list_scans",
    "merge_shade_off",
    "read_labels",
    "read_scan",
    "read_scans",
]

UNLABELLED = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledScan:
    """``volume`` (z, y, x) float32 and ``labels`` (z, y, x) uint8; ``sha256`` is of both."""

    name: str
    volume: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    voxel_size_um: float | None
    sha256: str

    @property
    def labelled_slices(self) -> npt.NDArray[np.intp]:
        """Slices with at least one labelled voxel, upwards."""
        return np.flatnonzero((self.labels != UNLABELLED).any(axis=(1, 2)))


def list_scans(folder: str | Path) -> dict[str, tuple[str, str]]:
    """Return, by name, where volume and labels of each scan are, as `read_volume` wants them.

    Raises `BadInput` for a folder that is absent or empty, or a volume without labels.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder: training data is a folder of volumes with their labels")
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.iterdir()):
        name, _, rest = path.name.partition(".")
        if rest in ("h5", "hdf5"):
            found[name] = f"{path}:/volume", f"{path}:/labels"
        elif rest.startswith("volume."):
            partners = sorted(folder.glob(f"{name}.labels.*"))
            if len(partners) != 1:
                raise BadInput(f"{path} needs one file {name}.labels.* beside it, there are {len(partners)}")
            found[name] = str(path), str(partners[0])
    if not found:
        raise BadInput(
            f"{folder} holds no training data: put NAME.h5 with /volume and /labels there, "
            "or NAME.volume.* and NAME.labels.* (.h5, .npy, .tif, .zarr)"
        )
    return found


def read_scans(folder: str | Path) -> list[LabelledScan]:
    """Read every scan of a folder; raises `BadInput` for what does not fit."""
    return [read_scan(name, *where) for name, where in list_scans(folder).items()]


def read_scan(name: str, volume_spec: str, labels_spec: str) -> LabelledScan:
    """Read one scan; raises `BadInput` unless volume and labels have one shape and known values."""
    volume = np.ascontiguousarray(read_volume(volume_spec), dtype=np.float32)
    labels = read_labels(labels_spec)
    if labels.shape != volume.shape:
        raise BadInput(
            f"{labels_spec} has shape {labels.shape}, its volume {volume.shape}: they must be one grid"
        )
    if not np.isfinite(volume).all():
        raise BadInput(f"{volume_spec} holds values that are not numbers")
    digest = hashlib.sha256(volume.tobytes())
    digest.update(labels.tobytes())
    return LabelledScan(
        name=name,
        volume=volume,
        labels=labels,
        voxel_size_um=_voxel_size(volume_spec),
        sha256=digest.hexdigest(),
    )


def read_labels(spec: str) -> npt.NDArray[np.uint8]:
    """Return labels (z, y, x) uint8; raises `BadInput` for other values than the classes' and 255."""
    raw = read_volume(spec)
    if raw.dtype.kind not in "ui":
        raise BadInput(f"{spec} is {raw.dtype}: labels are whole numbers (uint8)")
    wrong = np.setdiff1d(np.unique(raw), [*range(len(CLASS_NAMES)), UNLABELLED])
    if len(wrong):
        raise BadInput(
            f"{spec} holds label {wrong[0]}: known are "
            + ", ".join(f"{value} {known}" for value, known in enumerate(CLASS_NAMES))
            + f" and {UNLABELLED} for unlabelled"
        )
    return raw.astype(np.uint8)


def merge_shade_off(scan: LabelledScan) -> LabelledScan:
    """Return the scan with shade-off counted as the bone that it is."""
    labels = np.where(scan.labels == Label.SHADE_OFF, np.uint8(Label.BONE), scan.labels)
    return replace(scan, labels=labels.astype(np.uint8))


def _voxel_size(spec: str) -> float | None:
    with open_volume(spec) as volume:
        if volume.voxel_size_um is not None:
            return volume.voxel_size_um
    path = spec.rpartition(":")[0] if ":/" in spec else spec
    if Path(path).suffix not in (".h5", ".hdf5"):
        return None
    with h5py.File(path) as file:
        value = file.attrs.get("voxel_size_um")
    return None if value is None else float(value)
