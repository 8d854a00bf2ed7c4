"""The whole house on one machine: a tiled server, a proxy, the daemon and a simulated beamline."""

from streamlcn.demo._run import DemoResult, run_demo

__all__ = ["DemoResult", "run_demo"]
