"""What can go wrong, sorted by what the caller should do.

::

    StreamLCNError
    ├── BadDocument        one document cannot be used: count it, skip it, go on
    ├── FailedScan         this scan cannot be finished: close it as failed, go on with the next
    │   ├── MissingReference   no (usable) flats or darks
    │   ├── UnreadableFrame    pixels promised by a document cannot be had
    │   ├── ReconstructionFailed
    │   ├── SegmentationFailed
    │   └── StoreFailed        the result could not be delivered
    └── BadInput           a profile, file or argument is wrong: refuse, exit 2
        └── BadProfile

Anything else is a bug: crash, let the supervisor restart.
Each message says what, which one, and where to look.
"""

__all__ = [
    "BadDocument",
    "BadInput",
    "BadProfile",
    "FailedScan",
    "MissingReference",
    "ReconstructionFailed",
    "SegmentationFailed",
    "StoreFailed",
    "StreamLCNError",
    "UnreadableFrame",
]


class StreamLCNError(Exception):
    """Root of all errors that are not bugs."""


class BadDocument(StreamLCNError, ValueError):
    """A document cannot be used: count it, skip it, go on."""


class FailedScan(StreamLCNError, RuntimeError):
    """A scan cannot be finished: close it as failed, go on with the next."""


class MissingReference(FailedScan):
    """A scan has no usable flats or darks."""


class UnreadableFrame(FailedScan):
    """Pixels that a document promised cannot be read."""


class ReconstructionFailed(FailedScan):
    """A reconstruction backend cannot give a volume."""


class SegmentationFailed(FailedScan):
    """A network cannot give labels for a volume."""


class StoreFailed(FailedScan):
    """A result could not be delivered to its store."""


class BadInput(StreamLCNError, ValueError):
    """A profile, file or argument is wrong: refuse and say what to do."""


class BadProfile(BadInput):
    """A profile has a wrong key or value, or does not fit its weights."""
