"""JSON that every browser reads: finite numbers, short texts, no depth without end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["json_ready"]

_DEEPEST = 6
_MOST = 500
_LARGEST = 2**53  # browsers know no larger whole numbers


def json_ready(value: Any, depth: int = 0) -> Any:
    """Return ``value`` with NaN and infinities as None, foreign objects as text, and long lists cut."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:_MOST]
    if isinstance(value, int):
        return int(value) if abs(value) <= _LARGEST else None
    if isinstance(value, float):  # NumPy's float64 is one, and no encoder takes it
        return float(value) if math.isfinite(value) else None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {str(key): json_ready(item, depth + 1) for key, item in list(value.items())[:_MOST]}
    if isinstance(value, list | tuple):
        return [json_ready(item, depth + 1) for item in list(value)[:_MOST]]
    if hasattr(value, "item") and not getattr(value, "ndim", 0):  # a NumPy scalar
        return json_ready(value.item(), depth + 1)
    return str(value)[:_MOST]
