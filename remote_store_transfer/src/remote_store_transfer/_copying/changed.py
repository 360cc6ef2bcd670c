"""What is not the version that it should be: the errors, and how they are found out."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from remote_store import PreconditionFailed, RemoteStoreError
from remote_store_transfer._values import Version

__all__ = [
    "SourceChanged",
    "TargetChanged",
    "about_target",
    "check_content",
    "hash_for",
    "of_source",
    "of_target",
    "other_target",
]


class SourceChanged(PreconditionFailed):
    """
    Raised when a source is not what it was when its copy began.

    With ``outcome_unknown`` something has arrived all the same.
    """

    #: What has; None where nothing did, or it cannot be told from what others write.
    arrived: Version | None = None


class TargetChanged(PreconditionFailed):
    """Raised when somebody else has changed a target since the plan saw it."""


def other_target(path: str) -> TargetChanged:
    """Return the error for a target that is another version than was seen."""
    msg = f"{path!r} was changed in the target since it was looked at"
    return TargetChanged(msg, path=path)


def about_target(path: str, error: RemoteStoreError | None) -> RemoteStoreError | None:
    """Return an error of one of many targets, as `of_target` raises it."""
    if not isinstance(error, PreconditionFailed):
        return error
    changed = other_target(path)
    changed.__cause__ = error
    return changed


@contextlib.contextmanager
def of_target(path: str, match: str | None) -> Generator[None, None, None]:
    """Say of a condition that failed that it was about the target."""
    try:
        yield
    except PreconditionFailed as error:
        if match is None or isinstance(error, SourceChanged):
            raise
        raise other_target(path) from error


@contextlib.contextmanager
def of_source(path: str, match: str | None) -> Generator[None, None, None]:
    """Say of a condition that failed that it was about the source."""
    try:
        yield
    except PreconditionFailed as error:
        if match is None or error.outcome_unknown:
            raise
        msg = f"{path!r} changed before it was copied"
        raise SourceChanged(msg, path=path) from error


def hash_for(seen: Version, body: bytes = b"") -> Any:
    """Return what computes the digest that the source's service keeps; None if nothing does."""
    if seen.digest is None:
        return None
    import hashlib  # only where a service keeps digests

    try:
        return hashlib.new(seen.digest.algorithm, body, usedforsecurity=False)
    except ValueError:  # a service's own
        return None


def check_content(path: str, seen: Version, size: int, digest: Any) -> None:
    """
    Compare what was read with what was expected.

    Args:
        path: Path of the source, for the error.
        seen: What it has to be.
        size: Bytes that were read.
        digest: What `hash_for` returned, after all of them.

    Raises:
        SourceChanged: It is something else.
    """
    if size != seen.size:
        more = "more" if size > seen.size else str(size)
        msg = f"{path!r} changed while it was copied: {more} bytes instead of {seen.size}"
        raise SourceChanged(msg, path=path)
    if digest is not None and seen.digest is not None and digest.hexdigest() != seen.digest.value:
        msg = (
            f"the content of {path!r} does not have the {seen.digest.algorithm} that its "
            "service keeps: it changed, or it is damaged"
        )
        raise SourceChanged(msg, path=path)
