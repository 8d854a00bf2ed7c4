"""Scan files in, volumes in and out."""

from streamlcn.files._open import open_scan_file
from streamlcn.files._readers import VolumeReader, open_volume
from streamlcn.files._scan_file import ScanFile
from streamlcn.files._stack import FrameStack
from streamlcn.files._volume import read_volume, write_volume
from streamlcn.files._writers import VolumeWriter, create_volume

__all__ = [
    "FrameStack",
    "ScanFile",
    "VolumeReader",
    "VolumeWriter",
    "create_volume",
    "open_scan_file",
    "open_volume",
    "read_volume",
    "write_volume",
]
