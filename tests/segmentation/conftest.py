"""Small networks and volumes; weights are random, so every claim is about arithmetic, not about quality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamlcn.segmentation._build import Network, build_network
from streamlcn.segmentation._bundle import write_bundle
from streamlcn.segmentation._manifest import Manifest
from streamlcn.segmentation.settings import NetworkConfig

# Networks this small gain nothing from threads, which burn the processor where other processes use it too.
torch.set_num_threads(1)

CLASSES = ("background", "bone", "lcn", "shade_off")


@pytest.fixture
def volume() -> npt.NDArray[np.float32]:
    """Seven slices of 26 x 21 voxels: no multiple of anything."""
    rng = np.random.default_rng(5)
    smooth = np.cumsum(rng.standard_normal((7, 26, 21)), axis=1)
    return (smooth + 3 * rng.standard_normal((7, 1, 21))).astype(np.float32)


@pytest.fixture(params=["sensor3d", "sensor3d-concat", "unet"])
def network(request: pytest.FixtureRequest) -> Network:
    """An untrained network whose batch statistics are not neutral."""
    kind, _, merge = request.param.partition("-")
    network = build_network(NetworkConfig(kind=kind, base=4, levels=3, merge=merge or "sum"), seed=9)
    generator = torch.Generator().manual_seed(3)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
        elif name.endswith("running_var"):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return network.eval()


@pytest.fixture
def manifest(network: Network) -> Manifest:
    return Manifest(
        name="untrained",
        network=network.config,
        classes=CLASSES,
        weights_sha256="0" * 64,
        provenance={"seed": 9, "trained_on": ["nothing"]},
    )


@pytest.fixture
def bundle(tmp_path: Path, network: Network, manifest: Manifest) -> Path:
    folder = tmp_path / "model"
    write_bundle(folder, network, manifest, card="# untrained\n")
    return folder
