"""Why a message was refused, as a word that can be counted."""

from __future__ import annotations

from typing import Literal, TypeAlias

from streamlcn.errors import BadDocument

__all__ = ["Reason", "reason_of", "refused"]

Reason: TypeAlias = Literal["undecodable", "unsafe", "too_large", "invalid", "unexpected"]
"""undecodable: no document at all. unsafe: it asks for more than plain values. too_large: over a limit.
invalid: plain values that no document has. unexpected: our own code failed on it, which is a defect."""


def refused(reason: Reason, text: str) -> BadDocument:
    """Return the error to raise, with the attribute ``reason``."""
    error = BadDocument(text)
    error.reason = reason  # type: ignore[attr-defined]
    return error


def reason_of(error: BadDocument) -> str:
    """Return the reason of a refusal; 'other' where nobody gave one."""
    return str(getattr(error, "reason", "other"))
