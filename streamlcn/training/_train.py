"""Training from a folder to a bundle."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from streamlcn.errors import BadInput
from streamlcn.model import CLASS_NAMES, Label
from streamlcn.segmentation._build import Network, build_network
from streamlcn.segmentation._bundle import read_bundle, write_bundle
from streamlcn.segmentation._manifest import Manifest, OodReference
from streamlcn.segmentation._model import Model, pick_device
from streamlcn.segmentation._normalise import Normalisation
from streamlcn.segmentation._ood import Looks, by_voxel_size, fit_reference, look_at
from streamlcn.segmentation.settings import NetworkConfig
from streamlcn.training._calibrate import fit_temperature, porosity_spread
from streamlcn.training._card import make_card
from streamlcn.training._checkpoint import Checkpoint
from streamlcn.training._curves import save_curves
from streamlcn.training._data import UNLABELLED, LabelledScan, merge_shade_off, read_scans
from streamlcn.training._evaluate import evaluate_model
from streamlcn.training._loop import Progress, run_epochs
from streamlcn.training._patches import Part, Sampler
from streamlcn.training._report import Evaluation, TrainingReport
from streamlcn.training._split import Split, family, split_scans
from streamlcn.training.settings import FAST, FINE_TUNING, TrainingSettings

__all__ = ["finetune", "train"]


def train(
    data_dir: str | Path,
    model: Literal["sensor3d", "unet"] = "sensor3d",
    out: str | Path = "model",
    *,
    name: str | None = None,
    seed: int = 0,
    settings: TrainingSettings = FAST,
    device: str = "auto",
    progress: Progress | None = None,
    from_bundle: str | Path | None = None,
    notes: str = "",
) -> TrainingReport:
    """Train a network on a folder of volumes and labels, write its bundle to ``out``, judge it.

    The same data, seed, settings and device give the same weights. With ``from_bundle`` every tensor of that
    bundle whose name and shape fit is taken over first (a U-Net gives its paths to a Sensor3D). Figures on
    held-out data, as ``settings.split`` says, end up in the card, below ``notes``. Beside ``out``, a folder
    ``<out>.part`` keeps the state after each epoch: the same call goes on there after an interruption, to the
    same weights. Raises `BadInput`.
    """
    if model not in ("sensor3d", "unet"):
        raise BadInput(f"there is no network {model!r}: say sensor3d or unet")
    scans = read_scans(data_dir)
    if settings.shade_off_is_bone:
        scans = [merge_shade_off(scan) for scan in scans]
    classes = _classes_in(scans)
    config = NetworkConfig(kind=model, class_count=len(classes), **settings.shape)
    network = build_network(config, seed)
    parent = _inherit(network, classes, Path(from_bundle)) if from_bundle is not None else None
    task = _Task(scans, classes, settings, seed, pick_device(device), parent)
    return task.run(network, Path(out), name or f"{model}-{Path(data_dir).name}", progress, notes)


def finetune(
    data_dir: str | Path,
    from_bundle: str | Path,
    out: str | Path,
    *,
    name: str | None = None,
    seed: int = 0,
    settings: TrainingSettings = FINE_TUNING,
    device: str = "auto",
    progress: Progress | None = None,
    notes: str = "",
) -> TrainingReport:
    """Go on training a bundle's network on other data; classes may be fewer or more.

    Width, depth, normalisation and merging are the parent's, whatever ``settings`` say. Raises `BadInput`.
    """
    parent = read_bundle(Path(from_bundle))[1].network
    settings = settings.model_copy(update=parent.shape)
    return train(
        data_dir,
        parent.kind,
        out,
        name=name,
        seed=seed,
        settings=settings,
        device=device,
        progress=progress,
        from_bundle=from_bundle,
        notes=notes,
    )


class _Task:
    """One training: its data on one scale, its split, what it writes."""

    def __init__(
        self,
        scans: list[LabelledScan],
        classes: tuple[str, ...],
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
        parent: str | None,
    ) -> None:
        if settings.patch_px % settings.multiple:
            raise BadInput(
                f"patch_px {settings.patch_px} is no multiple of {settings.multiple} "
                f"({settings.levels} levels)"
            )
        self.scans, self.classes, self.settings, self.seed = scans, classes, settings, seed
        self.device, self.parent = device, parent
        self.normalisation = Normalisation()
        self.split = split_scans(scans, settings.split, seed)

    def run(
        self, network: Network, out: Path, name: str, progress: Progress | None, notes: str
    ) -> TrainingReport:
        started = time.perf_counter()
        torch.manual_seed(self.seed)
        network.to(self.device)
        checkpoint = Checkpoint(out.with_name(out.name + ".part"), self._told(network))
        epochs, reason = run_epochs(
            network,
            self._sampler(self.split.training),
            self._sampler(self.split.held_out),
            self.settings,
            self._steps(),
            self.seed,
            self.device,
            progress,
            checkpoint,
        )
        manifest = self._manifest(network.eval(), name, reason, len(epochs))
        # What is judged is what will be loaded: weights as they are rounded on disk.
        write_bundle(out, network, manifest, card="")
        network, manifest = read_bundle(out)
        manifest, judged = self._judge(Model(network, manifest, self.device))
        manifest = write_bundle(out, network, manifest, make_card(manifest, judged, notes))
        save_curves(out / "curves.png", epochs, self.classes, name)
        checkpoint.remove()
        return TrainingReport(
            bundle=str(out),
            name=name,
            sha256=manifest.weights_sha256,
            parameters=sum(weight.numel() for weight in network.parameters()),
            epochs=tuple(epochs),
            ended_because=reason,
            seconds=time.perf_counter() - started,
            training_scans=tuple(key for key, z in self.split.training.items() if len(z)),
            held_out={"by": self.split.by, **_ranges(self.split)},
            evaluation=judged,
        )

    def _told(self, network: Network) -> dict[str, Any]:
        """Everything that determines the weights."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "network": network.config.model_dump(mode="json"),
            "data": sorted(scan.sha256 for scan in self.scans),
            "names": [scan.name for scan in self.scans],
            "classes": self.classes,
            "seed": self.seed,
            "parent": self.parent,
            "device": self.device.type,
        }

    def _judge(self, model: Model) -> tuple[Manifest, Evaluation]:
        """Calibrate and judge on what was held out; return what the manifest then says."""
        held_out = self.split.held_out
        manifest = model.manifest
        calibration = fit_temperature(model, self.scans, held_out, self.seed)
        model.manifest = manifest.model_copy(update={"calibration": calibration})
        judged = evaluate_model(model, self.scans, held_out)
        if self.split.by == "scans":  # blocks of one scan say nothing about the porosity of another
            spread = porosity_spread(judged.scans)
            known = {"porosity_spread": spread, "volumes": len(judged.scans)}
            calibration = calibration.model_copy(update=known)
        metrics = judged.model_dump(mode="json", include={"dice", "iou", "porosity_error_mean"})
        return manifest.model_copy(update={"metrics": metrics, "calibration": calibration}), judged

    def _sampler(self, slices: dict[str, Any]) -> Sampler:
        index = np.full(256, UNLABELLED, np.uint8)
        for place, each in enumerate(self.classes):
            index[CLASS_NAMES.index(each)] = place
        parts = [
            Part(
                self.normalisation.scale(scan.volume)(scan.volume).astype(np.float16),
                index[scan.labels],
                slices[scan.name],
            )
            for scan in self.scans
            if len(slices[scan.name])
        ]
        lcn = self.classes.index("lcn") if "lcn" in self.classes else None
        return Sampler(parts, self.settings.patch_px, self.settings.lcn_share, lcn)

    def _steps(self) -> int:
        if self.settings.steps_per_epoch is not None:
            return self.settings.steps_per_epoch
        voxels = sum(len(self.split.training[scan.name]) * scan.volume[0].size for scan in self.scans)
        return max(1, round(voxels / self.settings.patch_px**2 / self.settings.batch))

    def _references(self, network: Network) -> tuple[OodReference, ...] | None:
        """Describe the bones; blocks of one scan say nothing about another scan."""
        if self.split.by != "scans":
            return None
        radius = self.normalisation.view_radius
        bones: dict[str, list[Looks]] = {}
        sizes: dict[str, float | None] = {}
        for scan in self.scans:
            seen = look_at(network, scan.volume, self.normalisation.scale(scan.volume), radius, self.device)
            bones.setdefault(family(scan.name), []).append(seen)
            sizes[family(scan.name)] = scan.voxel_size_um
        parts = by_voxel_size(list(bones.values()), list(sizes.values()))
        return tuple(fit_reference(part) for part in parts)

    def _manifest(self, network: Network, name: str, reason: str, epochs: int) -> Manifest:
        sizes = [scan.voxel_size_um for scan in self.scans if scan.voxel_size_um is not None]
        return Manifest(
            name=name,
            network=network.config,
            classes=self.classes,
            normalisation=self.normalisation,
            weights_sha256="0" * 64,
            voxel_size_um=(min(sizes), max(sizes)) if sizes else None,
            ood=self._references(network),
            provenance={
                "trained_on": [scan.name for scan in self.scans],
                "data_sha256": {scan.name: scan.sha256 for scan in self.scans},
                "split": {"by": self.split.by, **_ranges(self.split)},
                "seed": self.seed,
                "epochs": epochs,
                "steps_per_epoch": self._steps(),
                "ended_because": reason,
                "settings": self.settings.model_dump(mode="json"),
                "parent_sha256": self.parent,
                "date": datetime.now(UTC).date().isoformat(),
                "versions": _versions(),
            },
        )


def _versions() -> dict[str, str]:
    try:
        own = version("streamlcn")
    except PackageNotFoundError:
        own = "from a checkout"
    return {
        "streamlcn": own,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _classes_in(scans: list[LabelledScan]) -> tuple[str, ...]:
    present = np.unique(np.concatenate([np.unique(scan.labels) for scan in scans]))
    classes = tuple(CLASS_NAMES[value] for value in present if value != UNLABELLED)
    if Label.LCN not in present or len(classes) < 2:
        raise BadInput(
            f"labels hold only {', '.join(classes) or 'nothing'}: lcn and at least one more are needed"
        )
    return classes


def _inherit(network: Network, classes: tuple[str, ...], bundle: Path) -> str:
    """Copy what fits by name and shape; outputs go by class. Return the parent's SHA-256."""
    parent, manifest = read_bundle(bundle)
    own, theirs = network.state_dict(), parent.state_dict()
    heads = {"head.weight", "head.bias"}
    taken = {
        key: value
        for key, value in theirs.items()
        if key in own and key not in heads and own[key].shape == value.shape
    }
    if not any(value.ndim == 4 for value in taken.values()):
        raise BadInput(
            f"no layer of {bundle} fits: choose the same base and levels ({manifest.network.base}, "
            f"{manifest.network.levels})"
        )
    for key in heads:
        new = own[key].clone()
        for place, each in enumerate(classes):
            if each in manifest.classes and new.shape[1:] == theirs[key].shape[1:]:
                new[place] = theirs[key][manifest.classes.index(each)]
        taken[key] = new
    network.load_state_dict(taken, strict=False)
    return manifest.weights_sha256


def _ranges(split: Split) -> dict[str, Any]:
    def told(part: dict[str, Any]) -> dict[str, Any]:
        return {
            key: [int(z[0]), int(z[-1]) + 1] if len(z) == z[-1] - z[0] + 1 else z.tolist()
            for key, z in part.items()
            if len(z)
        }

    return {"training": told(split.training), "held_out": told(split.held_out)}
