"""From the service's codes to our errors; what a status means by itself is the toolkit's table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from remote_store import (
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_objects import StorageNotFound
from remote_store_objects.http import error_of, foreign_answer, retry_after_of
from remote_store_s3._place import REGION

__all__ = ["EXPIRED", "SKEWED", "code_of", "error_for", "region_of"]

#: Codes of temporary credentials that are over.
EXPIRED: Final = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})
#: The code of a clock that is wrong by more than a quarter of an hour.
SKEWED: Final = "RequestTimeTooSkewed"

#: From "Error responses" in the Amazon S3 API reference, where the status alone would mislead.
_BY_CODE: Final[dict[str, tuple[type[RemoteStoreError], str]]] = {
    "NoSuchBucket": (StorageNotFound, "The bucket does not exist; create it first"),
    "NoSuchKey": (NotFound, "Not found"),
    "NoSuchUpload": (NotFound, "The upload is unknown: committed, aborted, or expired"),
    "NoSuchVersion": (NotFound, "Not found"),
    "PreconditionFailed": (PreconditionFailed, "Precondition failed"),
    "KeyTooLongError": (InvalidPath, "Path is longer than the service allows"),
    "InvalidURI": (InvalidPath, "Path has a name that the service refuses"),
    "AuthorizationHeaderMalformed": (PermissionDenied, "Permission denied"),
    "InvalidObjectState": (
        RemoteStoreError,
        "The file is in an archive class; restore it before it is read or copied",
    ),
    SKEWED: (PermissionDenied, "Permission denied, this machine's clock is wrong"),
    **dict.fromkeys(EXPIRED, (PermissionDenied, "Permission denied, the credentials are over")),
    # Nothing was done, and another attempt may succeed.
    "BadDigest": (BackendUnavailable, "The content arrived damaged"),
    "ConditionalRequestConflict": (BackendUnavailable, "A change at the same time was in the way"),
    "IncompleteBody": (BackendUnavailable, "The content did not arrive"),
    "OperationAborted": (BackendUnavailable, "A change at the same time was in the way"),
    "RequestTimeout": (BackendUnavailable, "The content did not arrive in time"),
    "SlowDown": (BackendUnavailable, "The service is overloaded"),
    "XAmzContentSHA256Mismatch": (BackendUnavailable, "The content arrived damaged"),
}
#: Statuses of codes that come inside an answer that is no failure by its own status.
_STATUS: Final = {"AccessDenied": 403, "InternalError": 500, "ServiceUnavailable": 503}

_ERROR: Final = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<Error\b")
_CODE: Final = re.compile(rb"<Code>([^<]{1,100})</Code>")
_MESSAGE: Final = re.compile(rb"<Message>([^<]{1,300})")
_REGION: Final = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")


def code_of(body: bytes) -> str:
    """Return the code in the body of an error, ``""`` if it is none of the service's."""
    found = _CODE.search(body) if _ERROR.match(body) else None
    return found[1].decode("ascii", "replace") if found else ""


def region_of(headers: Mapping[str, str], body: bytes) -> str | None:
    """Return the region in which the bucket is, if a refusal tells it."""
    found = _REGION.search(body)
    told = headers.get("x-amz-bucket-region") or (found[1].decode() if found else "")
    return told if REGION.fullmatch(told) else None


def error_for(
    status: int, headers: Mapping[str, str], body: bytes, *, changes: bool
) -> RemoteStoreError:
    """
    Return the error that an answer stands for.

    Args:
        status: Its HTTP status; below 300 if only its body says that it failed.
        headers: Found whatever the case of their names.
        body: Up to its first 64 KiB; that of a HEAD is empty.
        changes: The request was to change something.
    """
    code = code_of(body)
    names = [name.lower() for name in headers]
    # Content delivery networks of AWS answer with marks of their own.
    marked = any(n.startswith("x-amz") and not n.startswith("x-amz-cf-") for n in names)
    if not code and 300 <= status < 500 and not marked:  # a HEAD has no document
        return foreign_answer(status, "it is no error document of S3", changes=changes)
    if status < 300:
        status = _STATUS.get(code, 500)
    request_id = headers.get("x-amz-request-id") or headers.get("x-amzn-requestid")
    fields: dict[str, Any] = {
        "code": code or None,
        "request_id": request_id,
        "retry_after": retry_after_of(headers),
    }
    found = _MESSAGE.search(body) if code else None
    told = f"{status} {code}: {found[1].decode('utf-8', 'replace')}" if found else str(status)
    if code in _BY_CODE:
        cls, words = _BY_CODE[code]
        return cls(f"{words} ({told})", status=status, **fields)
    if status == 404 and code:
        return RemoteStoreError(f"The service refused the request ({told})", status=404, **fields)
    if status in (301, 307):
        words = "The bucket is in another region, which the service does not tell; pass region"
        return RemoteStoreError(f"{words} ({told})", status=status, **fields)
    return error_of(status, f"{_words(status)} ({told})", changes=changes, **fields)


def _words(status: int) -> str:
    if status in (401, 403):
        return "Permission denied"
    if status == 404:
        return "Not found"
    return "The service failed" if status >= 500 else "The service refused the request"
