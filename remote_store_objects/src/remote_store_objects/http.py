"""
For services that speak HTTP: the table of errors, and what headers say.

Nothing here must be used, and nothing here sends anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from remote_store import (
    BackendUnavailable,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
)

__all__ = [
    "error_of",
    "etag_of",
    "extent_of",
    "foreign_answer",
    "metadata_of",
    "no_answer",
    "quoted",
    "range_header",
    "retry_after_of",
    "time_of",
]

_CLASSES: Final[Mapping[int, type[RemoteStoreError]]] = {
    401: PermissionDenied,
    403: PermissionDenied,
    404: NotFound,
    408: BackendUnavailable,
    412: PreconditionFailed,
    423: ResourceLocked,
    429: BackendUnavailable,
}
#: Of the statuses from 500 on, those that say that no change was made. Gateways have their own.
_REFUSED: Final = frozenset({501, 503})
# The last byte of nothing is -1: an emulator answers so for an empty object.
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+|-1)/(\d+)")


def error_of(status: int, message: str, *, changes: bool, **fields: Any) -> RemoteStoreError:
    """
    Return the error that a status means, as `ObjectService` wants it.

    401 and 403 are PermissionDenied, 404 NotFound, 412 PreconditionFailed, 423
    ResourceLocked, 408, 429 and 5xx BackendUnavailable, the rest
    RemoteStoreError. What a code of the service means beside its status is the
    service's to say.

    Args:
        status: Of the answer.
        message: What the service says, without secrets.
        changes: The request was to change something; then 5xx other than 501
            and 503 leave its outcome unknown.
        fields: ``code``, ``request_id``, ``retry_after``: see `RemoteStoreError`.
    """
    cls = _CLASSES.get(status, BackendUnavailable if status >= 500 else RemoteStoreError)
    unknown = changes and status >= 500 and status not in _REFUSED
    return cls(message, status=status, outcome_unknown=unknown, **fields)


def no_answer(message: str, *, changes: bool) -> BackendUnavailable:
    """
    Return the error for a request without an answer; raise it from the native exception.

    Args:
        message: What happened, without secrets.
        changes: The request was to change something, and it was sent, at least
            in part. False where the connection could not be made.
    """
    return BackendUnavailable(message, outcome_unknown=changes)


def foreign_answer(status: int, lack: str, *, changes: bool) -> BackendUnavailable:
    """
    Return the error for an answer that is not the service's own.

    Between a client and its service are gateways, proxies and login pages. A
    service looks at each answer for what only itself sends, a header for
    example, and takes others for none.

    Args:
        status: Of the answer.
        lack: What it has not got.
        changes: The request was to change something.
    """
    msg = f"An answer {status} that is not the service's own: {lack}"
    return BackendUnavailable(msg, status=status, outcome_unknown=changes)


def etag_of(header: str | None) -> str | None:
    """Return the token in an ETag header; None without one, and for a weak one."""
    if not header or header.startswith("W/"):
        return None
    return header.removeprefix('"').removesuffix('"')


def quoted(etag: str | None) -> str | None:
    """Return an ETag as the header If-Match wants it; None without one."""
    return None if etag is None else f'"{etag}"'


def metadata_of(headers: Mapping[str, str], prefix: str) -> dict[str, str]:
    """
    Return the user metadata in the headers of an answer, their keys in lower case.

    Args:
        headers: Of the answer.
        prefix: What the names begin with, in whatever case: ``"x-amz-meta-"``.
    """
    prefix = prefix.lower()
    start = len(prefix)
    lower = ((name.lower(), value) for name, value in headers.items())
    return {name[start:]: value for name, value in lower if name.startswith(prefix)}


def range_header(start: int, stop: int | None) -> str | None:
    """Return the value of a Range header; None where the whole object is wanted."""
    if stop is None:
        return f"bytes={start}-" if start else None
    return f"bytes={start}-{stop - 1}"


def extent_of(status: int, headers: Mapping[str, str]) -> tuple[int, int, int]:
    """
    Return which bytes an answer to a GET has: start, stop, and the size of the whole object.

    Args:
        status: 200 or 206.
        headers: Of the answer; found whatever the case of their names.

    Raises:
        RemoteStoreError: They do not tell.
    """
    if status == 206:
        found = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if found is not None:
            start, last, size = map(int, found.groups())
            return start, last + 1, size
    else:
        length = headers.get("Content-Length", "")
        if length.isdecimal():
            return 0, int(length), int(length)
    msg = "The answer does not tell which part of the object it is"
    raise RemoteStoreError(msg, status=status)


def time_of(header: str | None) -> datetime | None:
    """Return the time in a header such as Last-Modified; None without one, or if it is none."""
    if not header:
        return None
    try:
        time = parsedate_to_datetime(header)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which an answer asks the client to wait, if it does in seconds."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
