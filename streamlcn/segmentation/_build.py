"""A network from its configuration."""

from __future__ import annotations

from typing import TypeAlias

from streamlcn.segmentation._blocks import initialise
from streamlcn.segmentation._sensor3d import Sensor3D
from streamlcn.segmentation._unet import UNet
from streamlcn.segmentation.settings import NetworkConfig

__all__ = ["Network", "build_network"]

Network: TypeAlias = Sensor3D | UNet


def build_network(config: NetworkConfig, seed: int = 0) -> Network:
    """Return an untrained network with weights drawn from ``seed``."""
    network: Network = Sensor3D(config) if config.kind == "sensor3d" else UNet(config)
    initialise(network, seed)
    if isinstance(network, Sensor3D):
        network.bottom.reset_gates()
        network.last.reset_gates()
    return network
