"""Where results go."""

from streamlcn.store.settings import StoreSettings

__all__ = ["StoreSettings"]
