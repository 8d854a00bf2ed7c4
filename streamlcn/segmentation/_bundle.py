"""Bundles on disk: ``model.safetensors``, ``manifest.json`` and the card ``README.md`` in one folder."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from streamlcn.errors import BadInput
from streamlcn.segmentation._build import Network, build_network
from streamlcn.segmentation._manifest import Manifest

__all__ = ["CARD", "MANIFEST", "WEIGHTS", "read_bundle", "write_bundle"]

WEIGHTS, MANIFEST, CARD = "model.safetensors", "manifest.json", "README.md"

_NUMBERS = re.compile(r"\[[-+0-9.eE,\s]+\]")
"""Lists of numbers in indented JSON; they go on one line each."""


def read_bundle(folder: Path, sha256: str | None = None) -> tuple[Network, Manifest]:
    """Return the network, ready for inference on the CPU, and what its bundle says.

    Raises `BadInput` for missing files, a manifest that is not one, weights whose SHA-256 is not the
    manifest's (or not ``sha256``), or whose tensors do not fit the network.
    """
    for name in (MANIFEST, WEIGHTS):
        if not (folder / name).is_file():
            raise BadInput(f"{folder} is no model bundle: it has no {name} (make one with `streamlcn train`)")
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except ValidationError as error:
        raise BadInput(f"{folder / MANIFEST} is not a manifest: {_first(error)}") from error
    data = (folder / WEIGHTS).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    for wanted, who in ((manifest.weights_sha256, "its manifest"), (sha256, "the profile")):
        if wanted is not None and found != wanted:
            raise BadInput(
                f"{folder / WEIGHTS} has SHA-256 {found}, but {who} asks for {wanted}: "
                "fetch the bundle again, or correct the hash if the weights were changed on purpose"
            )
    return _network(folder, manifest, data), manifest


def write_bundle(folder: Path, network: Network, manifest: Manifest, card: str) -> Manifest:
    """Write weights (half precision), manifest and card; return the manifest with the weights' SHA-256."""
    halves = {
        name: value.detach().cpu().half().contiguous()
        if value.is_floating_point()
        else value.cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    # One key only: safetensors writes several in random order, and the bytes name the model.
    data = save_tensors(halves, metadata={"format": "pt"})
    manifest = manifest.model_copy(update={"weights_sha256": hashlib.sha256(data).hexdigest()})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(data)
    text = json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False)
    text = _NUMBERS.sub(lambda found: " ".join(found[0].split()), text)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    return manifest


def _network(folder: Path, manifest: Manifest, data: bytes) -> Network:
    try:
        weights = load_tensors(data)
    except SafetensorError as error:
        raise BadInput(f"{folder / WEIGHTS} is not a safetensors file: {error}") from error
    network = build_network(manifest.network)
    expected = network.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            state = "lacks" if name not in weights else "has an unknown"
            raise BadInput(
                f"{folder / WEIGHTS} {state} tensor {name}: it does not fit its manifest's network"
            )
        if weights[name].shape != expected[name].shape:
            raise BadInput(
                f"{folder / WEIGHTS}: tensor {name} has shape {tuple(weights[name].shape)}, "
                f"its manifest's network needs {tuple(expected[name].shape)}"
            )
        if weights[name].is_floating_point() and not bool(torch.isfinite(weights[name]).all()):
            raise BadInput(f"{folder / WEIGHTS}: tensor {name} holds values that are not numbers")
    network.load_state_dict({name: value.to(expected[name].dtype) for name, value in weights.items()})
    return network.eval()


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
