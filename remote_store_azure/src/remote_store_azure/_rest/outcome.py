"""
What a failure says about a change: whether it may have been made all the same.

`Session.error` decides it for each request, by its attempts; the
functions are for operations that take more than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from remote_store import RemoteStoreError
from remote_store_azure._rest.operations import Operation

__all__ = ["AttemptRecord", "in_doubt", "untouched"]


class AttemptRecord:
    """What became of the attempts of a request; the SDK's clients take it as an option."""

    #: What the request is; None for those of the SDK's clients that we know nothing of.
    operation: Operation | None = None
    #: There was an attempt before the one that was answered.
    resent = False
    #: An attempt ended without an answer of the service, and may have been carried out.
    lost = False
    #: An attempt is on its way, or ended with an answer that is not repeated.
    pending = False


@contextmanager
def in_doubt(doubtful: bool) -> Iterator[None]:
    """
    Mark the errors of a request that was to show what became of a change.

    Args:
        doubtful: Nothing else shows it; of a request that was refused this is
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
