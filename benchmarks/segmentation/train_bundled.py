"""Make the bundles of both profiles, from simulated scans only.

    python benchmarks/segmentation/train_bundled.py WORK

makes ``WORK/{anatomix,p05}`` (training) and ``WORK/{anatomix,p05}_test`` (other seeds, never trained on) with
``simulated_data.py`` where they are missing, then

1. trains a U-Net on ANATOMIX-like scans, as a cheap start for the paths of
2. a Sensor3D on the same scans -> ``profiles/anatomix/model``,
3. and fine-tunes that on P05-like scans with three classes -> ``profiles/p05/model``.

Seeds, settings and versions are in the manifests. On 2 quiet cores: about 20 min for the scans, 10 min for
the networks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch

from streamlcn.training import EpochRecord, TrainingSettings, document, finetune, train

REPOSITORY = Path(__file__).parents[2]
SEED = 1
TRAINING_SEEDS = {"anatomix": "1-14", "p05": "1-5"}
TEST_SEEDS = "1001-1002"
PLAIN_SEED = "1003"
FLAT = TrainingSettings(patch_px=96, batch=8, epochs=30, steps_per_epoch=50, precision="bfloat16")
DEEP = FLAT.model_copy(update={"epochs": 24})
TUNED = FLAT.model_copy(update={"epochs": 8, "learning_rate": 1e-3, "shade_off_is_bone": True})

NOTES = """\
**Trained on simulated scans only.** Before its numbers on real bone are believed, fine-tune it on labelled
slices of real bone (`streamlcn finetune`) and judge it on others (`streamlcn evaluate`).

Made by `python benchmarks/segmentation/train_bundled.py`: {what}.

Scans: `python -m simulators write --size small --randomise` (plate, condenser, flux, density, outline and
motion vary), reconstructed with the true axis of rotation, once with the median filter of radius 2 (`_m2`)
and once without (`_m0`). The figures below are for seeds that took no part in training,
{test}."""


def main() -> None:
    """Parse arguments, make what is missing, train, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", choices=["anatomix", "p05"])
    parser.add_argument("--profiles", type=Path, default=REPOSITORY / "profiles")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.only != "p05":
        _anatomix(chosen.work, chosen.profiles)
    if chosen.only != "anatomix":
        _p05(chosen.work, chosen.profiles)


def _anatomix(work: Path, profiles: Path) -> None:
    _scans(work, "anatomix")
    bundle = profiles / "anatomix" / "model"
    train(work / "anatomix", "unet", work / "unet", seed=SEED, settings=FLAT, progress=_say)
    train(
        work / "anatomix",
        "sensor3d",
        bundle,
        name="anatomix-sensor3d",
        seed=SEED,
        settings=DEEP,
        progress=_say,
        from_bundle=work / "unet",
    )
    what = f"scans of seeds {TRAINING_SEEDS['anatomix']}; paths start from a U-Net trained on these"
    test = f"{TEST_SEEDS} (randomised) and {PLAIN_SEED} (the instrument as its file describes it, `_plain`)"
    document(work / "anatomix_test", bundle, notes=NOTES.format(what=what, test=test))


def _p05(work: Path, profiles: Path) -> None:
    _scans(work, "p05")
    bundle = profiles / "p05" / "model"
    parent = profiles / "anatomix" / "model"
    finetune(work / "p05", parent, bundle, name="p05-sensor3d", seed=SEED, settings=TUNED, progress=_say)
    what = f"the ANATOMIX-like model, fine-tuned on P05-like scans of seeds {TRAINING_SEEDS['p05']}"
    test = f"{TEST_SEEDS} (randomised) and {PLAIN_SEED} (the instrument as its file describes it, `_plain`)"
    document(work / "p05_test", bundle, notes=NOTES.format(what=what, test=test))


def _scans(work: Path, instrument: str) -> None:
    script = Path(__file__).with_name("simulated_data.py")
    for folder, seeds, extra in (
        (work / instrument, TRAINING_SEEDS[instrument], []),
        (work / f"{instrument}_test", TEST_SEEDS, []),
        (work / f"{instrument}_test", PLAIN_SEED, ["--plain"]),
    ):
        options = ["--instrument", instrument, "--seeds", seeds, "--median", "2", "0", *extra]
        subprocess.run([sys.executable, str(script), str(folder), *options], check=True)


def _say(record: EpochRecord, epochs: int) -> None:
    dice = " ".join(f"{value:.3f}" for value in record.validation_dice)
    print(
        f"epoch {record.epoch}/{epochs}: loss {record.training_loss:.3f}, "
        f"held out {record.validation_loss:.3f}, Dice {dice}, {record.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
