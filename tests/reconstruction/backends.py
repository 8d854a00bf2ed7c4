"""Which backends are usable here, and why the others are not."""

from __future__ import annotations

import importlib.util
import os
from functools import cache

import pytest
import torch

TOMOPY_PYTHON = os.environ.get("STREAMLCN_TOMOPY_PYTHON", "")
"""Interpreter of an environment with tomopy; without it its tests skip."""

HAS_ASTRA = importlib.util.find_spec("astra") is not None

needs_astra = pytest.mark.skipif(not HAS_ASTRA, reason="ASTRA is not installed: pip install astra-toolbox")
needs_tomopy = pytest.mark.skipif(
    not TOMOPY_PYTHON, reason="tomopy needs an interpreter of its own: name it in STREAMLCN_TOMOPY_PYTHON"
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")


@cache
def astra_has_cuda() -> bool:
    """Return whether ASTRA sees a GPU."""
    if not HAS_ASTRA:
        return False
    import astra

    return bool(astra.use_cuda())


needs_astra_cuda = pytest.mark.skipif(not astra_has_cuda(), reason="ASTRA finds no CUDA device here")
