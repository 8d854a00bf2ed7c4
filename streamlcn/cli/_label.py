"""Label by correcting: a model's guess of the slices that teach it most."""

from __future__ import annotations

from pathlib import Path

import click

from streamlcn.cli._output import console, device_option, json_option, print_json, print_values, warn

__all__ = ["label"]


@click.command()
@click.argument("volume")
@click.option(
    "--model", required=True, metavar="BUNDLE", help="Folder of the model that guesses, untuned or tuned."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Training data to correct.",
)
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True, help="Slices to add.")
@click.option("--known", metavar="LABELS", help="Labels corrected so far; 255 where nobody labelled.")
@click.option("--name", help="Of the scan in FOLDER.  [the volume's]")
@device_option
@json_option
def label(
    volume: str,
    model: str,
    out: Path,
    count: int,
    known: str | None,
    name: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Choose the slices of VOLUME to label next and write a model's guess for them.

    Those are the slices where the model can decide least about the LCN, apart from each other and from what
    is labelled. FOLDER gets NAME.volume.tif and NAME.labels.tif (0 background, 1 bone, 2 LCN, 3 shade-off,
    255 unlabelled): correct the labels in napari, Fiji or Dragonfly, save, and fine-tune on FOLDER.
    For the next stage give the tuned model, the corrected labels with --known, and another FOLDER.

    \b
    Example:
      streamlcn label scan.h5:/reconstruction --model profiles/anatomix/model --out stage1 --count 20
      streamlcn finetune stage1 --from profiles/anatomix/model --out model-20
      streamlcn label scan.h5:/reconstruction --model model-20 --known stage1/scan.labels.tif \\
        --out stage2 --count 30
    """
    import numpy as np

    from streamlcn.files import open_volume
    from streamlcn.training import as_proposed, propose_labels, read_labels

    called = name or Path(volume.partition(":/")[0]).name.partition(".")[0]
    with open_volume(volume) as source:
        voxels = source.read(0, source.shape[0]).astype(np.float32, copy=False)
        edge = source.voxel_size_um
    labels = None if known is None else read_labels(known)
    untouched = () if known is None or labels is None else as_proposed(known, labels)
    with console().status("segmenting"):
        chosen = propose_labels(
            voxels, model, out, called, count, known=labels, voxel_size_um=edge, device=device
        )
    if untouched:
        warn(
            f"{known}: slices {', '.join(map(str, untouched))} are as they were proposed; correct them "
            "before training, or the model learns its own mistakes"
        )
    told = {
        "volume": str(out / f"{called}.volume.tif"),
        "labels": str(out / f"{called}.labels.tif"),
        "slices": list(chosen),
        "as_proposed": list(untouched),
    }
    if as_json:
        print_json(told)
        return
    shown = ", ".join(map(str, sorted(chosen)))
    print_values(
        "Slices to correct", [("slices", shown), ("volume", told["volume"]), ("labels", told["labels"])]
    )
