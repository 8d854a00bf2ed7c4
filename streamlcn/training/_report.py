"""What a training leaves behind, and how well a model does. JSON-ready."""

from __future__ import annotations

from typing import Any

from streamlcn.settings import Settings

__all__ = ["EpochRecord", "Evaluation", "LcnQuality", "ScanEvaluation", "TrainingReport"]


class EpochRecord(Settings):
    """One epoch; Dice per class in the order of the model's classes, on patches."""

    epoch: int
    training_loss: float
    training_dice: tuple[float, ...]
    validation_loss: float
    validation_dice: tuple[float, ...]
    seconds: float


class LcnQuality(Settings):
    """The LCN beyond overlap; shares from 0 to 1, components of at least 27 voxels."""

    cl_dice: float
    skeleton_precision: float
    skeleton_recall: float
    surface_dice: float
    component_recall: float | None
    components: int
    components_true: int


class ScanEvaluation(Settings):
    """One volume against its truth. Porosity is LCN over bone, shade-off and LCN.

    ``porosity`` counts labels, ``porosity_expected`` adds probabilities, ``porosity_ambiguous`` is the share
    of the tissue that p (1 - p) of the LCN adds up to; ``porosity_low`` and ``porosity_high`` are the
    interval that the model gives itself. ``lcn`` is None where judged slices do not follow each other, since
    the network is three-dimensional.
    """

    name: str
    dice: dict[str, float]
    iou: dict[str, float]
    porosity: float | None
    porosity_true: float | None
    porosity_expected: float | None = None
    porosity_ambiguous: float | None = None
    porosity_low: float | None = None
    porosity_high: float | None = None
    lcn: LcnQuality | None = None
    ood_score: float | None
    ood_flag: bool
    seconds: float

    @property
    def porosity_error(self) -> float | None:
        """Relative error of the porosity."""
        if self.porosity is None or not self.porosity_true:
            return None
        return self.porosity / self.porosity_true - 1


class Evaluation(Settings):
    """A model on labelled volumes; ``dice`` and ``iou`` over all voxels of all of them together."""

    model: dict[str, Any]
    dice: dict[str, float]
    iou: dict[str, float]
    porosity_error_mean: float | None
    porosity_error_largest: float | None
    scans: tuple[ScanEvaluation, ...]


class TrainingReport(Settings):
    """A finished training."""

    bundle: str
    name: str
    sha256: str
    parameters: int
    epochs: tuple[EpochRecord, ...]
    ended_because: str
    seconds: float
    training_scans: tuple[str, ...]
    held_out: dict[str, Any]
    evaluation: Evaluation | None = None
