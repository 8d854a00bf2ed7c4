"""One scan's way through the ports, and many scans beside each other."""

from streamlcn.pipeline._metadata import uncertainty_metadata, versions
from streamlcn.pipeline._parts import Emit, Parts
from streamlcn.pipeline._router import Router
from streamlcn.pipeline._scan_run import ScanRun

__all__ = ["Emit", "Parts", "Router", "ScanRun", "uncertainty_metadata", "versions"]
