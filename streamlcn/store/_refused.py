"""The one failure that waiting does not cure."""

from streamlcn.errors import StoreFailed

__all__ = ["ResultRefused"]


class ResultRefused(StoreFailed):
    """The store answers, and will not take this result however often it is tried."""
