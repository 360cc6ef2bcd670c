"""Which exceptions are the failure of one file, and how they are told."""

from __future__ import annotations

from typing import Final

from remote_store import RemoteStoreError

__all__ = ["EXPECTED", "reason_of", "status_of"]

#: What stores raise. Anything else is a defect, and ends a transfer.
EXPECTED: Final = (RemoteStoreError, OSError, ValueError)


def reason_of(error: Exception) -> str:
    """Return the message of an error, or what it is where it has none."""
    text = str(error.args[0]) if error.args and isinstance(error, RemoteStoreError) else str(error)
    return text or type(error).__name__


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that a service gave for an error."""
    return error.status if isinstance(error, RemoteStoreError) else None
