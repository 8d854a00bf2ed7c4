"""Train, fine-tune and judge networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamlcn.cli._output import (
    console,
    device_option,
    force_option,
    json_option,
    print_json,
    print_values,
    progress_bars,
)
from streamlcn.errors import BadInput

if TYPE_CHECKING:
    from types import TracebackType

    from streamlcn.training import EpochRecord, Evaluation, TrainingReport, TrainingSettings

__all__ = ["evaluate", "finetune", "train"]

F = TypeVar("F", bound=Callable[..., Any])
_RECIPES = ("fast", "paper", "fine-tuning")
_FOLDER = click.Path(path_type=Path)


def _learning_options(recipe: str) -> Callable[[F], F]:
    """Add what training and fine-tuning have in common."""

    def add(command: F) -> F:
        for option in (
            click.option("--out", type=_FOLDER, required=True, metavar="BUNDLE", help="Folder to write."),
            click.option("--recipe", type=click.Choice(_RECIPES), default=recipe, show_default=True),
            click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's."),
            click.option(
                "--set", "changes", multiple=True, metavar="KEY=VALUE",
                help="Value for a key of the recipe, such as base=16 or split.by=blocks; may be repeated.",
            ),
            click.option("--seed", default=0, show_default=True, help="The same gives the same weights."),
            click.option("--name", help="What results call the model."),
            device_option,
            force_option,
            json_option,
        ):  # fmt: skip
            command = option(command)
        return command

    return add


@click.command()
@click.argument("data", type=_FOLDER)
@click.option(
    "--model", type=click.Choice(["sensor3d", "unet"]), default="sensor3d", show_default=True,
    help="Sensor3D sees three slices, U-Net one.",
)  # fmt: skip
@click.option(
    "--from", "from_bundle", type=_FOLDER, metavar="BUNDLE", help="Take over what fits of its weights."
)
@_learning_options("fast")
def train(data: Path, model: Any, from_bundle: Path | None, out: Path, **options: Any) -> None:
    """Train a network on the labelled volumes in DATA and write its bundle.

    DATA holds NAME.h5 with /volume and /labels, or NAME.volume.* beside NAME.labels.*, for each scan; label
    255 is unlabelled. What is held out to judge the network is told at the end and stands in its card.

    \b
    Example:
      streamlcn train labelled/ --model sensor3d --recipe fast --seed 1 --out my-model
    """
    from streamlcn.training import train as learn

    _run(partial(learn, data, model, from_bundle=from_bundle), out, options)


@click.command()
@click.argument("data", type=_FOLDER)
@click.option(
    "--from", "from_bundle", type=_FOLDER, required=True, metavar="BUNDLE", help="Where to start from."
)
@_learning_options("fine-tuning")
def finetune(data: Path, from_bundle: Path, out: Path, **options: Any) -> None:
    """Go on training a bundle's network on the labelled volumes in DATA, for a new beamline or sample.

    The network's width and depth stay as they are; its classes become those of the new labels.

    \b
    Example:
      streamlcn finetune my-scans/ --from profiles/anatomix/model --out my-model
    """
    from streamlcn.training import finetune as learn

    _run(partial(learn, data, from_bundle), out, options)


@click.command()
@click.argument("data", type=_FOLDER)
@click.option("--model", type=_FOLDER, required=True, metavar="BUNDLE", help="Folder of the model.")
@device_option
@json_option
def evaluate(data: Path, model: Path, device: str, as_json: bool) -> None:
    """Judge a model on the labelled volumes in DATA: Dice and IoU of each class, error of the porosity.

    Take volumes that the model has not seen: on those it was trained on, the figures mean nothing.

    \b
    Example:
      streamlcn evaluate held-out/ --model my-model --json
    """
    from streamlcn.training import evaluate as judge

    with console().status("segmenting"):
        evaluation = judge(data, model, device=device)
    if as_json:
        print_json(evaluation.model_dump(mode="json"))
        return
    print_values(f"Evaluation of {evaluation.model['name']}", _rows(evaluation))


def _run(learn: Callable[..., TrainingReport], out: Path, options: dict[str, Any]) -> None:
    """Train by what both commands have in common, and tell what became of it."""
    settings = _settings(options)
    _refuse_to_replace(out, force=options["force"])
    with _Epochs(settings.epochs) as watch:
        report = learn(
            out=out,
            name=options["name"],
            seed=options["seed"],
            settings=settings,
            device=options["device"],
            progress=watch,
        )
    _tell(report, as_json=options["as_json"])


def _settings(options: dict[str, Any]) -> TrainingSettings:
    """Return the recipe's settings with what the options change; raises `BadInput`."""
    from pydantic import ValidationError

    from streamlcn.training import RECIPES, TrainingSettings

    values = RECIPES[options["recipe"]].model_dump()
    if options["changes"]:
        from streamlcn.profile import parse_overrides

        for dotted, value in parse_overrides(options["changes"]).items():
            _put(values, dotted, value)
    if options["epochs"] is not None:
        values["epochs"] = options["epochs"]
    try:
        return TrainingSettings.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise BadInput(f"--set {where}: {wrong['msg']}") from error


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    section: Any = values
    for key in path:
        section = section.get(key) if isinstance(section, dict) else None
    if not isinstance(section, dict):
        raise BadInput(f"--set {dotted}: a recipe has no section {'.'.join(path)}")
    if last not in section:
        raise BadInput(f"--set {dotted}: a recipe has no such key; known are {', '.join(section)}")
    section[last] = value


def _refuse_to_replace(out: Path, *, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out} is a file: a bundle is a folder")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise BadInput(f"{out} exists already and is not empty: choose another folder, or say --force")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"the folder {out.absolute().parent} does not exist: make it first")


class _Epochs:
    """A bar of epochs with loss and Dice of the validation."""

    def __init__(self, most: int) -> None:
        self._bars = progress_bars()
        self._task = self._bars.add_task("epochs", total=most)

    def __enter__(self) -> _Epochs:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, record: EpochRecord, most: int) -> None:
        """Show one epoch."""
        dice = " ".join(f"{value:.3f}" for value in record.validation_dice)
        self._bars.console.print(
            f"epoch {record.epoch}: loss {record.training_loss:.4f}, on held-out data "
            f"{record.validation_loss:.4f}, Dice {dice}"
        )
        self._bars.update(self._task, total=most, completed=record.epoch)


def _tell(report: TrainingReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    rows: list[tuple[str, Any]] = [
        ("bundle", report.bundle),
        ("sha256", report.sha256),
        ("parameters", report.parameters),
        ("epochs", len(report.epochs)),
        ("ended because", report.ended_because),
        ("seconds", report.seconds),
        ("held out by", report.held_out["by"]),
    ]
    print_values(report.name, [*rows, *(_rows(report.evaluation) if report.evaluation else ())])


def _rows(evaluation: Evaluation) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [(f"Dice {name}", value) for name, value in evaluation.dice.items()]
    rows += [(f"IoU {name}", value) for name, value in evaluation.iou.items()]
    rows.append(("porosity error, mean", evaluation.porosity_error_mean))
    rows.append(("porosity error, largest", evaluation.porosity_error_largest))
    for scan in evaluation.scans:
        flag = " (unlike the training data)" if scan.ood_flag else ""
        rows.append((f"porosity of {scan.name}{flag}", f"{scan.porosity} (truth {scan.porosity_true})"))
    return rows
