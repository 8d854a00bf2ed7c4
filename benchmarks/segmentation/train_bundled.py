"""Make the bundles of both profiles, from simulated scans only.

    python benchmarks/segmentation/train_bundled.py WORK

makes ``WORK/{anatomix,p05}`` (training) and ``WORK/{anatomix,p05}_test`` (other seeds, never trained on) with
``simulated_data.py`` where they are missing, at the published voxel (size ``slab``) and at twice that
(``small``), then

1. trains a U-Net on ANATOMIX-like scans, as a cheap start for the paths of
2. a Sensor3D on the same scans -> ``profiles/anatomix/model``,
3. and fine-tunes that on P05-like scans with three classes -> ``profiles/p05/model``.

Instead of 1, ``--start BUNDLE`` begins with the weights of a bundle, at half the rate. Two of three bones are
seen by random neighbours of the instrument, the third by the instrument as its file has it. Interrupted, the
same command goes on where it stopped. Seeds, settings and versions are in the manifests.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import torch

from streamlcn.segmentation import load_model
from streamlcn.training import EpochRecord, TrainingSettings, document, finetune, train
from streamlcn.training._data import read_scans

Seeds: TypeAlias = dict[str, tuple[str, ...]]
"""First and last seed, or one, of each size of scan."""

REPOSITORY = Path(__file__).parents[2]
SEED = 1
RANDOMISED: Seeds = {"small": ("1-8",), "slab": ("21-30",)}
PLAIN: Seeds = {"small": ("101-104",), "slab": ("121-124",)}
TEST_RANDOMISED: Seeds = {"small": ("1001",), "slab": ("1021",)}
TEST_PLAIN: Seeds = {"small": ("1003", "0"), "slab": ("1023",)}
MEDIANS = ("2", "1", "0")
FLAT = TrainingSettings(
    levels=5, widest=64, patch_px=192, batch=4, epochs=40, steps_per_epoch=100, precision="bfloat16"
)
DEEP = FLAT.model_copy(update={"epochs": 80})
AGAIN = DEEP.model_copy(update={"learning_rate": 2e-3})
TUNED = FLAT.model_copy(
    update={"epochs": 30, "steps_per_epoch": 50, "learning_rate": 1e-3, "shade_off_is_bone": True}
)

NOTES = """\
**Trained on simulated scans only.** Before its numbers on real bone are believed, fine-tune it on labelled
slices of real bone (`streamlcn finetune`) and judge it on others (`streamlcn evaluate`).

Made by `python benchmarks/segmentation/train_bundled.py`: {what}.

Scans: `python -m simulators write`, seeds {randomised} with `--randomise` (plate, condenser, flux, density,
outline and motion vary) and seeds {plain} without, reconstructed with a median filter of radius 2 (`_m2`, as
published), 1 and 0. The figures below are for seeds that took no part in training: {test_randomised}
randomised, {test_plain} plain (`_plain`); 0 is the bone of `streamlcn demo`. The size `slab` has the
published voxel, `small` twice that.

{others}"""


def main() -> None:
    """Parse arguments, make what is missing, train, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", choices=["anatomix", "p05"])
    parser.add_argument("--start", type=Path, help="bundle whose weights the ANATOMIX model starts from")
    parser.add_argument("--profiles", type=Path, default=REPOSITORY / "profiles")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    instruments = [chosen.only] if chosen.only else ["anatomix", "p05"]
    for instrument in instruments:
        _scans(chosen.work, instrument)
    if "anatomix" in instruments:
        _anatomix(chosen.work, chosen.profiles, chosen.start)
    if "p05" in instruments:
        parent, out = (chosen.profiles / name / "model" for name in ("anatomix", "p05"))
        finetune(
            chosen.work / "p05", parent, out, name="p05-sensor3d", seed=SEED, settings=TUNED, progress=_say
        )
    for instrument in instruments:
        _document(chosen.work, chosen.profiles, instrument)


def _anatomix(work: Path, profiles: Path, start: Path | None) -> None:
    settings = DEEP if start is None else AGAIN
    if start is None:
        start = work / "unet"
        if not (start / "README.md").exists():
            train(work / "anatomix", "unet", start, seed=SEED, settings=FLAT, progress=_say)
    train(
        work / "anatomix",
        "sensor3d",
        profiles / "anatomix" / "model",
        name="anatomix-sensor3d",
        seed=SEED,
        settings=settings,
        progress=_say,
        from_bundle=start,
    )


def _document(work: Path, profiles: Path, instrument: str) -> None:
    """Judge on seeds never trained on; tell what the model says of the other instrument's scans."""
    bundle = profiles / instrument / "model"
    other = {"anatomix": "p05", "p05": "anatomix"}[instrument]
    what = {
        "anatomix": "trained with four classes",
        "p05": "the ANATOMIX-like model, fine-tuned with three classes",
    }[instrument]
    others = ""
    if (work / f"{other}_test").is_dir():
        model = load_model(bundle)
        told = []
        for scan in read_scans(work / f"{other}_test"):
            score, flag = model.ood(scan.volume)
            told.append(f"{scan.name} {score:.2f}{', flagged' if flag else ''}")
        others = f"OOD scores of {other} scans under this model, which should flag them: {'; '.join(told)}."
    notes = NOTES.format(
        what=what,
        randomised=_told(RANDOMISED),
        plain=_told(PLAIN),
        test_randomised=_told(TEST_RANDOMISED),
        test_plain=_told(TEST_PLAIN),
        others=others,
    )
    document(work / f"{instrument}_test", bundle, notes=notes)


def _scans(work: Path, instrument: str) -> None:
    script = Path(__file__).with_name("simulated_data.py")
    wanted: list[tuple[str, Seeds, list[str]]] = [
        (instrument, RANDOMISED, []),
        (instrument, PLAIN, ["--plain"]),
        (f"{instrument}_test", TEST_RANDOMISED, []),
        (f"{instrument}_test", TEST_PLAIN, ["--plain"]),
    ]
    for folder, by_size, extra in wanted:
        for size, seeds in ((size, seeds) for size, several in by_size.items() for seeds in several):
            options = ["--instrument", instrument, "--size", size, "--seeds", seeds, *extra]
            command = [sys.executable, str(script), str(work / folder), *options, "--median", *MEDIANS]
            subprocess.run(command, check=True)


def _told(by_size: Seeds) -> str:
    return "; ".join(f"{', '.join(seeds)} (`{size}`)" for size, seeds in by_size.items())


def _say(record: EpochRecord, epochs: int) -> None:
    dice = " ".join(f"{value:.3f}" for value in record.validation_dice)
    print(
        f"epoch {record.epoch}/{epochs}: loss {record.training_loss:.3f}, "
        f"held out {record.validation_loss:.3f}, Dice {dice}, {record.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
