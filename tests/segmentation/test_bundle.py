"""A bundle comes back as it was written, or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamlcn.errors import BadInput
from streamlcn.segmentation import load_model
from streamlcn.segmentation._build import Network
from streamlcn.segmentation._bundle import read_bundle, write_bundle
from streamlcn.segmentation._manifest import Manifest


def edit(bundle: Path, **changes: object) -> None:
    path = bundle / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_survive_within_half_precision(bundle: Path, network: Network) -> None:
    loaded, manifest = read_bundle(bundle)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    assert manifest.name == "untrained"
    assert loaded.training is False


def test_the_same_network_gives_the_same_bytes(bundle: Path, network: Network, manifest: Manifest) -> None:
    again = write_bundle(bundle.parent / "again", network, manifest, card="")
    assert (bundle / "model.safetensors").read_bytes() == (
        bundle.parent / "again/model.safetensors"
    ).read_bytes()
    assert read_bundle(bundle)[1].weights_sha256 == again.weights_sha256


def test_a_written_bundle_read_and_written_is_unchanged(bundle: Path) -> None:
    network, manifest = read_bundle(bundle)
    assert write_bundle(bundle.parent / "again", network, manifest, card="") == manifest


def test_description_is_json_ready_and_names_the_weights(bundle: Path) -> None:
    described = load_model(bundle, device="cpu").description
    assert json.loads(json.dumps(described))["sha256"] == read_bundle(bundle)[1].weights_sha256
    assert described["classes"] == ["background", "bone", "lcn", "shade_off"]


def test_one_flipped_bit_is_noticed(bundle: Path) -> None:
    path = bundle / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match="its manifest asks for"):
        load_model(bundle)


def test_weights_that_the_profile_does_not_name_are_refused(bundle: Path) -> None:
    with pytest.raises(BadInput, match="the profile asks for " + "a" * 64):
        load_model(bundle, sha256="a" * 64)


@pytest.mark.parametrize("missing", ["model.safetensors", "manifest.json"])
def test_a_missing_file_is_named(bundle: Path, missing: str) -> None:
    (bundle / missing).unlink()
    with pytest.raises(BadInput, match=re.escape(missing)):
        load_model(bundle)


def test_tensors_of_another_network_are_named(bundle: Path) -> None:
    config = read_bundle(bundle)[1].network.model_dump(mode="json")
    edit(bundle, network={**config, "base": 5})
    with pytest.raises(BadInput, match=r"has shape .* needs"):
        load_model(bundle)
    edit(bundle, network={**config, "levels": 4})
    with pytest.raises(BadInput, match="tensor"):
        load_model(bundle)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ["background", "bone"]}, "4 outputs"),
        ({"classes": ["background", "bone", "lcn", "marrow"]}, "marrow"),
        ({"weights_sha256": "abc"}, "weights_sha256"),
        ({"colour": "blue"}, "colour"),
        ({"format_version": 9}, "format_version"),
    ],
)
def test_a_wrong_manifest_says_which_key(bundle: Path, changes: dict[str, object], words: str) -> None:
    edit(bundle, **changes)
    with pytest.raises(BadInput, match=words):
        load_model(bundle)


def test_a_device_that_is_not_there_is_refused(bundle: Path) -> None:
    with pytest.raises(BadInput, match="cuda:63"):
        load_model(bundle, device="cuda:63")
    with pytest.raises(BadInput, match="is none"):
        load_model(bundle, device="abacus")


def test_committed_models_are_whole_and_small(volume: npt.NDArray[np.float32]) -> None:
    profiles = Path(__file__).parents[2] / "profiles"
    for name in ("anatomix", "p05"):
        model = load_model(profiles / name / "model", device="cpu")
        assert model.manifest.network.kind == "sensor3d"
        assert sum(weight.numel() for weight in model.network.parameters()) < 1_000_000
        assert (profiles / name / "model" / "model.safetensors").stat().st_size < 2_000_000
        assert model.segment(volume).shape == volume.shape
        assert model.manifest.metrics["dice"]["lcn"] > 0.85
        assert model.manifest.ood is not None
        assert "simulated scans only" in (profiles / name / "model" / "README.md").read_text()
