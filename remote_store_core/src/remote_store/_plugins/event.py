"""What listeners are told."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

__all__ = ["OperationEvent"]


@frozen
class OperationEvent:
    """
    One finished operation of a store.

    An operation that the store refused before it called the backend makes no
    event.

    Args:
        name: Method of the store, for example ``"read_bytes"``.
        path: The caller's path (source of a move or copy).
        backend: Name of the backend.
        bytes: Content bytes moved; None where an operation moves none.
        seconds: From the call of the backend to its end; for an iterator from
            the first pull to exhaustion or close.
        outcome: ``"ok"``, ``"error"`` or ``"cancelled"``.
        error: The exception, unless *outcome* is ``"ok"``.
    """

    name: str
    path: str
    backend: str
    bytes: int | None
    seconds: float
    outcome: Literal["ok", "error", "cancelled"]
    error: BaseException | None = None
