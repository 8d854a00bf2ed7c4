"""Networks are trained, tuned and judged, and no bundle is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamlcn.training import evaluate
from streamlcn.training._data import read_scan
from tests.cli.running import Outcome, call

_SMALL = ("base=4", "levels=2", "patch_px=16", "batch=4", "steps_per_epoch=3", "split.by=scans")


def learn(command: str, *words: object) -> Outcome:
    changes = [word for change in _SMALL for word in ("--set", change)]
    return call(command, *words, *changes, "--epochs", 2, "--json")


def test_a_network_is_trained_judged_and_tuned(tmp_path: Path, labelled: Path) -> None:
    trained = learn("train", labelled, "--model", "sensor3d", "--out", tmp_path / "a", "--seed", 3)
    assert trained.status == 0, trained.err
    report = trained.json
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text("utf-8"))
    assert report["sha256"] == manifest["weights_sha256"]
    assert manifest["network"]["kind"] == "sensor3d"
    assert manifest["provenance"]["settings"]["split"]["by"] == "scans"
    assert (report["name"], len(report["epochs"])) == ("sensor3d-labelled", 2)
    assert "epoch 2: loss " in trained.err
    assert "Dice" in trained.err

    again = learn("train", labelled, "--model", "sensor3d", "--out", tmp_path / "again", "--seed", 3)
    other = learn("train", labelled, "--model", "sensor3d", "--out", tmp_path / "other", "--seed", 4)
    assert again.json["sha256"] == report["sha256"] != other.json["sha256"]

    judged = call("evaluate", labelled, "--model", tmp_path / "a", "--json").json
    expected = evaluate(labelled, tmp_path / "a").model_dump(mode="json")
    assert judged["dice"] == expected["dice"]
    assert [scan["name"] for scan in judged["scans"]] == ["bone0", "bone1", "bone2"]
    table = call("evaluate", labelled, "--model", tmp_path / "a")
    assert "Dice lcn" in table.out

    tuned = learn("finetune", labelled, "--from", tmp_path / "a", "--out", tmp_path / "b", "--name", "mine")
    assert tuned.json["name"] == "mine"
    parent = json.loads((tmp_path / "b" / "manifest.json").read_text("utf-8"))["provenance"]["parent_sha256"]
    assert parent == report["sha256"]


def test_a_bundle_is_replaced_only_if_one_says_so(tmp_path: Path, labelled: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model.safetensors").write_bytes(b"months of work")
    for command, more in (("train", ()), ("finetune", ("--from", tmp_path / "x"))):
        refused = learn(command, labelled, "--out", tmp_path / "a", *more)
        assert refused.status == 2
        assert "--force" in refused.err
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == b"months of work"
    assert learn("train", labelled, "--model", "unet", "--out", tmp_path / "a", "--force").status == 0
    assert call("evaluate", labelled, "--model", tmp_path / "a").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "spilt.by=blocks"], "a recipe has no section spilt"),
        (["--set", "split.bye=blocks"], "known are by, share, gap"),
        (["--set", "base.width=3"], "a recipe has no section base"),
        (["--set", "base=broad"], "base"),
        (["--set", "base"], "is not KEY=VALUE"),
        (["--from", "absent"], "is no model bundle"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, labelled: Path, words: list[str], said: str) -> None:
    outcome = call("train", labelled, "--out", tmp_path / "b", *words)
    assert outcome.status == 2
    assert said in outcome.err
    assert not (tmp_path / "b").exists()


def test_no_data_is_said(tmp_path: Path) -> None:
    outcome = call("evaluate", tmp_path / "none", "--model", tmp_path)
    assert outcome.status == 2
    assert str(tmp_path) in outcome.err


def test_labelling_goes_on_in_stages(tmp_path: Path, labelled: Path) -> None:
    assert learn("train", labelled, "--model", "unet", "--out", tmp_path / "a").status == 0
    volume = f"{next(labelled.glob('*.h5'))}:/volume"
    common = ("--model", tmp_path / "a", "--name", "bone", "--json")
    first = call("label", volume, "--out", tmp_path / "stage1", "--count", 2, *common)
    assert first.status == 0, first.err
    assert len(first.json["slices"]) == 2

    again = ("--known", first.json["labels"], "--count", 3, *common)
    second = call("label", volume, "--out", tmp_path / "stage2", *again)
    assert len(read_scan("bone", second.json["volume"], second.json["labels"]).labelled_slices) == 5
    assert second.json["as_proposed"] == sorted(first.json["slices"])
    assert "learns its own mistakes" in second.err

    refused = call("label", volume, "--out", tmp_path / "stage2", *again)
    assert refused.status == 2
    assert "may have been corrected" in refused.err
