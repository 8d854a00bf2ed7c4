"""streamlcn: lacuna-canalicular networks measured while the sample turns.

Importing it loads nothing else; what it names is loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlcn.profile import load_profile

    __version__: str

__all__ = ["__version__", "load_profile"]


def __getattr__(name: str) -> Any:
    if name == "load_profile":
        from streamlcn.profile import load_profile

        return load_profile
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("streamlcn")
        except PackageNotFoundError:  # a checkout on the path that was never installed
            return "0+unknown"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
