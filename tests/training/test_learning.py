"""Patches, losses, stopping, and trainings that really learn."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from labelled_scenes import scene, write

from streamlcn.errors import BadInput
from streamlcn.segmentation import load_model
from streamlcn.training import (
    FAST,
    EpochRecord,
    Evaluation,
    TrainingSettings,
    document,
    evaluate,
    finetune,
    train,
)
from streamlcn.training._evaluate import confusion, overlap
from streamlcn.training._loss import soft_dice_loss, total_loss
from streamlcn.training._patches import Part, Sampler, augment
from streamlcn.training._stopper import Stopper
from streamlcn.training.settings import PAPER, AugmentSettings

SHORT = TrainingSettings(base=8, levels=2, patch_px=16, batch=8, epochs=6, steps_per_epoch=20)


def test_patches_hold_the_grey_of_their_labels() -> None:
    _, labels = scene(4)
    part = Part(labels.astype(np.float16), labels, np.arange(2, 7))
    windows, truth = Sampler([part], 16, 0.5, 2).batch(
        12, np.random.default_rng(1), AugmentSettings(gain=0, offset=0, noise=0)
    )
    np.testing.assert_array_equal(windows[:, 1], truth)
    assert windows.shape == (12, 3, 16, 16)
    assert all((each == 2).any() for each in truth[:6]), "half of the patches are centred on a pore"


def test_patches_come_from_their_slices_only() -> None:
    _, labels = scene(4)
    height = np.broadcast_to(np.arange(10, dtype=np.float16)[:, None, None], labels.shape)
    part = Part(np.ascontiguousarray(height), labels, np.array([4, 5]))
    plain = Sampler([part], 16, 0.5, 2).batch(40, np.random.default_rng(1), None)[0]
    assert set(plain[:, 1].ravel()) == {4.0, 5.0}
    assert {tuple(each[:, 0, 0]) for each in plain} == {(3, 4, 5), (4, 5, 6)}


def test_patches_larger_than_a_slice_are_unlabelled_outside() -> None:
    _, labels = scene(4)
    part = Part(labels[:, :10, :12].astype(np.float16), labels[:, :10, :12], np.arange(10))
    truth = Sampler([part], 16, 0.0, None).batch(3, np.random.default_rng(1), None)[1]
    assert (truth[:, 10:] == 255).all()
    assert (truth[:, :, 12:] == 255).all()
    assert (truth[:, :10, :12] != 255).all()


@given(seed=st.integers(0, 2**32 - 1))
def test_augmentation_turns_labels_with_their_voxels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (8, 8))
    window = np.stack([labels, labels, labels]).astype(np.float32)
    turned, moved = augment(window, labels, rng, AugmentSettings(gain=0, offset=0, noise=0))
    np.testing.assert_allclose(turned[1], moved, atol=1e-6)
    assert sorted(moved.ravel()) == sorted(labels.ravel())


def test_bending_moves_labels_with_their_voxels_and_knows_nothing_beyond_the_patch() -> None:
    rng = np.random.default_rng(3)
    labels = np.zeros((48, 48), np.int64)
    labels[16:32, 12:40] = 1
    window = np.stack([labels, labels, labels]).astype(np.float32)
    settings = AugmentSettings(turn=False, gain=0, offset=0, noise=0, elastic_px=3, zoom=0.3)
    changed = 0.0
    for _ in range(5):
        bent, moved = augment(window, labels, rng, settings)
        known = moved != 255
        assert known.mean() > 0.5
        assert ((bent[1] > 0.5)[known] == (moved == 1)[known]).mean() > 0.995, "corners are rounded"
        changed += float((moved[known] != labels[known]).mean()) / 5
    assert changed > 0.02


def test_losses_by_hand() -> None:
    logits = torch.log(torch.tensor([[[[0.8, 0.4]], [[0.2, 0.6]]]]))
    labels = torch.tensor([[[0, 1]]])
    entropy = -(math.log(0.8) + math.log(0.6)) / 2
    assert float(total_loss(logits, labels, "cross_entropy")) == pytest.approx(entropy)
    dice = ((2 * 0.8 + 1) / (1.2 + 1 + 1) + (2 * 0.6 + 1) / (0.8 + 1 + 1)) / 2
    assert float(soft_dice_loss(logits, labels)) == pytest.approx(1 - dice)
    assert float(total_loss(logits, labels, "cross_entropy_dice")) == pytest.approx(entropy + 1 - dice)


def test_unlabelled_voxels_have_no_say() -> None:
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.randint(0, 3, (2, 4, 4))
    labels[:, 2:] = 255
    changed = logits.clone()
    changed[:, :, 2:] += 5 * torch.randn(2, 3, 2, 4)
    for kind in ("cross_entropy", "cross_entropy_dice"):
        assert float(total_loss(logits, labels, kind)) == pytest.approx(
            float(total_loss(changed, labels, kind))
        )


def test_stops_after_ten_epochs_that_gain_less_than_a_ten_thousandth() -> None:
    stopper = Stopper(PAPER.patience, PAPER.min_delta, is_relative=True)
    falling = [1.0, 0.9, 0.8]
    flat = [0.8 * (1 - 0.9e-4)] * 9
    assert not any(stopper.says_stop(loss) for loss in [*falling, *flat])
    assert stopper.says_stop(0.8 * (1 - 0.95e-4))


def test_progress_resets_the_patience() -> None:
    stopper = Stopper(2, 0.1, is_relative=False)
    assert [stopper.says_stop(loss) for loss in (1.0, 0.95, 0.85, 0.84, 0.83)] == [False] * 4 + [True]


def test_overlap_by_hand() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2, 2, 255], np.uint8)
    labels = np.array([0, 1, 1, 1, 2, 2, 0, 2], np.uint8)
    dice, iou = overlap(confusion(truth, labels))
    assert dice == pytest.approx({"background": 2 / 4, "bone": 4 / 5, "lcn": 4 / 5})
    assert iou == pytest.approx({"background": 1 / 3, "bone": 2 / 3, "lcn": 2 / 3})


@pytest.mark.parametrize("kind", [pytest.param("sensor3d", marks=pytest.mark.slow), "unet"])
def test_a_short_training_learns_and_can_be_repeated(data: Path, tmp_path: Path, kind: str) -> None:
    seen: list[float] = []
    report = train(
        data,
        kind,
        tmp_path / "one",
        seed=4,
        settings=SHORT,
        device="cpu",
        progress=lambda r, _: seen.append(r.training_loss),
    )  # type: ignore[arg-type]
    again = train(data, kind, tmp_path / "two", seed=4, settings=SHORT, device="cpu")  # type: ignore[arg-type]
    assert report.sha256 == again.sha256, "the same seed gives the same weights"
    assert len(seen) == 6
    assert seen[-1] < 0.5 * seen[0]
    assert report.evaluation is not None
    assert report.evaluation.dice["lcn"] > 0.8
    assert report.evaluation.scans[0].porosity_error == pytest.approx(0, abs=0.25)
    held_out = {scan.name for scan in report.evaluation.scans}
    assert not held_out & set(report.training_scans)


def test_the_bundle_tells_where_it_comes_from(data: Path, tmp_path: Path) -> None:
    short = SHORT.model_copy(update={"epochs": 1, "steps_per_epoch": 2})
    report = train(data, "unet", tmp_path / "model", name="trial", seed=4, settings=short, device="cpu")
    model = load_model(tmp_path / "model", device="cpu")
    manifest = model.manifest
    assert manifest.name == "trial"
    assert manifest.provenance["seed"] == 4
    assert set(manifest.provenance["data_sha256"]) == {f"bone{seed}_m0" for seed in range(6)}
    assert manifest.voxel_size_um == (0.25, 0.25)
    assert manifest.ood is not None
    card = (tmp_path / "model" / "README.md").read_text()
    assert report.sha256 in card
    assert report.evaluation is not None
    assert f"{report.evaluation.dice['lcn']:.3f}" in card


def test_judging_a_bundle_gives_what_training_reported(data: Path, tmp_path: Path) -> None:
    short = SHORT.model_copy(update={"epochs": 1})
    report = train(data, "sensor3d", tmp_path / "model", seed=4, settings=short, device="cpu")
    assert report.evaluation is not None
    judged = evaluate(data, tmp_path / "model", device="cpu")
    by_name = {scan.name: scan for scan in judged.scans}
    for scan in report.evaluation.scans:
        assert by_name[scan.name].dice == scan.dice
        assert by_name[scan.name].ood_score == scan.ood_score
    assert Evaluation.model_validate_json(judged.model_dump_json()) == judged


@pytest.mark.slow
def test_fine_tuning_drops_a_class_and_beats_its_parent(data: Path, tmp_path: Path) -> None:
    train(data, "sensor3d", tmp_path / "parent", seed=4, settings=SHORT, device="cpu")
    other = tmp_path / "other"
    other.mkdir()
    for seed in range(20, 22):
        volume, labels = scene(seed, shade=False)
        write(other / f"bone{seed}.h5", -volume, labels)  # another instrument: contrast turned over
    before = evaluate(other, tmp_path / "parent", device="cpu").dice["lcn"]
    report = finetune(other, tmp_path / "parent", tmp_path / "child", settings=SHORT, device="cpu")
    child = load_model(tmp_path / "child", device="cpu")
    assert child.manifest.classes == ("background", "bone", "lcn")
    assert (
        child.manifest.provenance["parent_sha256"] == load_model(tmp_path / "parent").manifest.weights_sha256
    )
    assert report.evaluation is not None
    assert report.evaluation.dice["lcn"] > before + 0.2


def test_a_sensor3d_starts_from_the_paths_of_a_unet(data: Path, tmp_path: Path) -> None:
    still = SHORT.model_copy(update={"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-12})
    train(data, "unet", tmp_path / "flat", seed=4, settings=still, device="cpu")
    train(
        data,
        "sensor3d",
        tmp_path / "deep",
        seed=9,
        settings=still,
        device="cpu",
        from_bundle=tmp_path / "flat",
    )
    flat, deep = (load_model(tmp_path / name, device="cpu").network.state_dict() for name in ("flat", "deep"))
    torch.testing.assert_close(deep["down.1.3.weight"], flat["down.1.3.weight"], atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(
        deep["ups.0.from_skip.weight"], flat["ups.0.from_skip.weight"], atol=1e-3, rtol=1e-2
    )


def test_what_cannot_be_trained_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no multiple"):
        train(data, "unet", tmp_path / "m", settings=SHORT.model_copy(update={"patch_px": 17}))
    with pytest.raises(BadInput, match="there is no network"):
        train(data, "vnet", tmp_path / "m")  # type: ignore[arg-type]
    bare = tmp_path / "bare"
    bare.mkdir()
    write(bare / "a.h5", scene(1)[0], np.zeros((10, 40, 40), np.uint8))
    with pytest.raises(BadInput, match="labels hold only background"):
        train(bare, "unet", tmp_path / "m")


def test_recipes_are_explicit_about_what_libraries_default() -> None:
    assert (PAPER.optimiser, PAPER.learning_rate, PAPER.batch, PAPER.loss) == (
        "adadelta",
        1.0,
        32,
        "cross_entropy",
    )
    assert FAST.loss == "cross_entropy_dice"


def test_the_published_recipe_runs(data: Path, tmp_path: Path) -> None:
    paper = PAPER.model_copy(update={"base": 4, "levels": 2, "patch_px": 16, "epochs": 3, "batch": 8})
    report = train(data, "unet", tmp_path / "m", settings=paper, device="cpu")
    losses = [epoch.training_loss for epoch in report.epochs]
    assert all(later < earlier for earlier, later in pairwise(losses))


def test_shade_off_counts_as_bone_where_it_has_no_class(data: Path, tmp_path: Path) -> None:
    three = SHORT.model_copy(update={"shade_off_is_bone": True})
    report = train(data, "unet", tmp_path / "model", seed=4, settings=three, device="cpu")
    assert load_model(tmp_path / "model", device="cpu").manifest.classes == ("background", "bone", "lcn")
    assert report.evaluation is not None
    assert set(report.evaluation.dice) == {"background", "bone", "lcn"}
    assert report.evaluation.dice["bone"] > 0.9
    assert evaluate(data, tmp_path / "model", device="cpu").dice["bone"] > 0.9


def test_a_card_is_rewritten_from_scans_that_took_no_part(data: Path, tmp_path: Path) -> None:
    short = SHORT.model_copy(update={"epochs": 1, "steps_per_epoch": 2})
    before = train(data, "unet", tmp_path / "model", seed=4, settings=short, device="cpu")
    test = tmp_path / "test"
    test.mkdir()
    write(test / "unseen.h5", *scene(50))
    judged = document(test, tmp_path / "model", notes="Only a trial.", device="cpu")
    manifest = load_model(tmp_path / "model", device="cpu").manifest
    assert manifest.weights_sha256 == before.sha256, "judging leaves weights alone"
    assert manifest.metrics["dice"] == judged.dice
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Only a trial." in card
    assert "| unseen |" in card
    with pytest.raises(BadInput, match="was trained or tuned on bone0_m0"):
        document(data, tmp_path / "model", device="cpu")


def test_an_interrupted_training_goes_on_to_the_same_weights(data: Path, tmp_path: Path) -> None:
    three = SHORT.model_copy(update={"epochs": 3, "steps_per_epoch": 4})
    whole = train(data, "sensor3d", tmp_path / "whole", name="m", seed=4, settings=three, device="cpu")

    class Interrupted(Exception):
        pass

    def interrupt(record: EpochRecord, epochs: int) -> None:
        if record.epoch == 2:
            raise Interrupted

    told: list[int] = []
    with pytest.raises(Interrupted):
        train(data, "sensor3d", tmp_path / "m", seed=4, settings=three, device="cpu", progress=interrupt)
    other = three.model_copy(update={"learning_rate": 1e-5})
    with pytest.raises(Interrupted):
        train(data, "sensor3d", tmp_path / "m", seed=4, settings=other, device="cpu", progress=interrupt)
    again = train(
        data,
        "sensor3d",
        tmp_path / "m",
        name="m",
        seed=4,
        settings=three,
        device="cpu",
        progress=lambda record, epochs: told.append(record.epoch),
    )
    assert told == [3]
    assert again.sha256 == whole.sha256
    assert [each.training_loss for each in again.epochs] == [each.training_loss for each in whole.epochs]
    assert len(list((tmp_path / "m.part").iterdir())) == 1, "the other training's state is left alone"


def test_a_spoilt_state_is_named(data: Path, tmp_path: Path) -> None:
    short = SHORT.model_copy(update={"epochs": 1, "steps_per_epoch": 1})

    def spoil(record: EpochRecord, epochs: int) -> None:
        for path in (tmp_path / "m.part").iterdir():
            path.write_bytes(path.read_bytes()[:100])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, "unet", tmp_path / "m", settings=short, device="cpu", progress=spoil)
    with pytest.raises(BadInput, match="remove it to begin anew"):
        train(data, "unet", tmp_path / "m", settings=short, device="cpu")


def test_a_finished_training_leaves_curves_and_no_state(data: Path, tmp_path: Path) -> None:
    train(data, "unet", tmp_path / "m", settings=SHORT.model_copy(update={"epochs": 2}), device="cpu")
    assert (tmp_path / "m" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "m.part").exists()
    calibration = load_model(tmp_path / "m", device="cpu").manifest.calibration
    assert calibration is not None
    assert calibration.error <= calibration.error_before + 0.01
    assert calibration.porosity_spread is not None
    assert calibration.volumes == 1
