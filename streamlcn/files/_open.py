"""From a path to a scan file of the right kind."""

from __future__ import annotations

from pathlib import Path

import h5py

from streamlcn.errors import BadInput
from streamlcn.files._dxchange import is_dxchange, open_dxchange
from streamlcn.files._nxtomo import find_nxtomo, open_nxtomo
from streamlcn.files._scan_file import ScanFile

__all__ = ["open_scan_file"]


def open_scan_file(path: str | Path, *, is_line_integral: bool = False) -> ScanFile:
    """Open a DXchange or NXtomo file for reading.

    Parameters
    ----------
    path
        An HDF5 file.
    is_line_integral
        The frames are -log(transmission) already: nobody may take a logarithm again, and flats and darks
        may be missing.

    Raises
    ------
    BadInput
        No such file, not HDF5, neither layout, a wrong number of angles or keys, or missing flats or darks.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} is not a file: give an HDF5 scan file (NXtomo or DXchange)")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise BadInput(f"{path} cannot be read as HDF5 ({error}): give an NXtomo or DXchange file") from error
    try:
        return _interpret(file, is_line_integral=is_line_integral)
    except BaseException:
        file.close()
        raise


def _interpret(file: h5py.File, *, is_line_integral: bool) -> ScanFile:
    entry = find_nxtomo(file)
    if entry is not None:
        return open_nxtomo(entry, is_line_integral=is_line_integral)
    if is_dxchange(file):
        return open_dxchange(file, is_line_integral=is_line_integral)
    raise BadInput(
        f"{file.filename} is neither NXtomo (no instrument/detector/image_key in an entry) nor DXchange "
        f"(no exchange/data); its groups are {', '.join(file) or 'none'}"
    )
