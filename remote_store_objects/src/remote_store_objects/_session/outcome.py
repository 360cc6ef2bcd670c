"""
What a failure says about a change: whether it may have been made all the same.

Each request tells by itself; the functions are for operations that take more
than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from remote_store import RemoteStoreError

__all__ = ["in_doubt", "like", "untouched"]

E = TypeVar("E", bound=RemoteStoreError)


@contextmanager
def in_doubt(doubtful: bool) -> Iterator[None]:
    """
    Mark the errors of a look that was to find out what became of a change.

    Args:
        doubtful: Nothing else tells; of a request that was refused this is
            so if an attempt before the refusal got no answer.
    """
    try:
        yield
    except RemoteStoreError as error:
        error.outcome_unknown = error.outcome_unknown or doubtful
        raise


@contextmanager
def untouched() -> Iterator[None]:
    """
    Mark the errors of requests that cannot have changed the file that is being written.

    Only for requests of our own: what the caller's content raises may be an
    error of another store, and is left as it is.
    """
    try:
        yield
    except RemoteStoreError as error:
        error.outcome_unknown = False
        raise


def like(error: E, refusal: RemoteStoreError) -> E:
    """Return *error* with what the service told with its *refusal*, and with its cause."""
    error.status, error.code = refusal.status, refusal.code
    error.request_id, error.retry_after = refusal.request_id, refusal.retry_after
    error.__cause__ = refusal.__cause__ or refusal
    return error
