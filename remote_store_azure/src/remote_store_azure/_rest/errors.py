"""The one table from the service's answers to our errors (ERR-001)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Final

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
)
from remote_store_azure._rest.redact import redacted
from remote_store_objects import StorageNotFound

__all__ = [
    "ARCHIVED",
    "NO_OVERWRITE",
    "NO_STORAGE",
    "OTHER_TYPE",
    "REFUSALS",
    "UNSURE",
    "UNVERIFIED",
    "error_code",
    "error_of",
    "retry_after",
    "service_message",
]

#: Answers of something between us and the storage, or of a storage that gave
#: up: what was asked for may have been done.
UNSURE: Final = frozenset({408, 500, 502, 504})

#: Codes of files whose content has to be fetched from the archive before it can be used.
ARCHIVED: Final = frozenset({"BlobArchived", "BlobBeingRehydrated"})
#: The code that says to clients which may only create files that a file is there.
NO_OVERWRITE: Final = "UnauthorizedBlobOverwrite"
#: The code that says that a blob is of another type than the request is for.
OTHER_TYPE: Final = "InvalidBlobType"
#: The code for a source of a copy that the service does not find, or may not read.
UNVERIFIED: Final = "CannotVerifyCopySource"
#: Codes that say that the container itself is absent, not what it was asked for.
NO_STORAGE: Final = frozenset({"ContainerNotFound", "FilesystemNotFound"})
#: Codes that say nothing about the storage, though their status seems to: no caller may take
#: them for absence or conflict. The service answers callers without rights as if nothing was there.
REFUSALS: Final = frozenset(
    {
        "AccountNotFound",
        "InvalidAuthenticationInfo",
        "PublicAccessNotPermitted",
        "ResourceNotFound",
    }
)

_BY_CODE: Final[dict[str, tuple[type[RemoteStoreError], str]]] = {
    "BlobAlreadyExists": (AlreadyExists, "Already exists"),
    "ContainerAlreadyExists": (AlreadyExists, "Already exists"),
    "PathAlreadyExists": (AlreadyExists, "Already exists"),
    "ResourceAlreadyExists": (AlreadyExists, "Already exists"),
    "DirectoryIsNotEmpty": (DirectoryNotEmpty, "Folder is not empty"),
    "DirectoryNotEmpty": (DirectoryNotEmpty, "Folder is not empty"),
    "InvalidRenameSourcePath": (InvalidPath, "Path cannot be moved below itself"),
    "InvalidResourceName": (InvalidPath, "Path has a name that the service refuses"),
    "InvalidSourceOrDestinationResourceType": (InvalidPath, "Path has the wrong type"),
    "InvalidUri": (InvalidPath, "Path has a name that the service refuses"),
    "OperationNotSupportedOnDirectory": (InvalidPath, "Path exists as a directory"),
    "PathConflict": (InvalidPath, "Path has the wrong type, or lies under a file"),
    "InvalidBlockList": (PreconditionFailed, "Staged blocks discarded by a concurrent write"),
    "ContainerNotFound": (StorageNotFound, "The container does not exist"),
    "FilesystemNotFound": (StorageNotFound, "The container does not exist"),
    "AccountNotFound": (BackendUnavailable, "There is no such storage account"),
    "InvalidAuthenticationInfo": (PermissionDenied, "Permission denied"),
    "PublicAccessNotPermitted": (
        PermissionDenied,
        "Permission denied, the account wants credentials and got none",
    ),
    "ResourceNotFound": (
        PermissionDenied,
        "The service shows nothing to these credentials: the account or container may be another "
        "one, or it may not be told to who asks without credentials",
    ),
    "BlobImmutableDueToPolicy": (PermissionDenied, "Permission denied by an immutability policy"),
    "ContainerBeingDeleted": (BackendUnavailable, "The container is being deleted"),
    "UnauthorizedBlobOverwrite": (
        PermissionDenied,
        "A file is there, and the credentials allow to create files but not to overwrite them",
    ),
    "SnapshotsPresent": (
        PermissionDenied,
        "The file has snapshots, which go with it only if the backend was made with "
        "delete_snapshots=True",
    ),
    "BlobArchived": (
        RemoteStoreError,
        "The file is in the archive tier, where it can only be deleted; rehydrate it first, by "
        "setting another tier",
    ),
    "BlobBeingRehydrated": (
        RemoteStoreError,
        "The file is in the archive tier and being rehydrated; try again when that is done",
    ),
    "InvalidBlobType": (RemoteStoreError, "The blob is of another type than this request is for"),
    "PendingCopyOperation": (ResourceLocked, "A copy to this path is still running"),
}

_BY_STATUS: Final[dict[int, tuple[type[RemoteStoreError], str]]] = {
    304: (PreconditionFailed, "Precondition failed"),
    401: (PermissionDenied, "Permission denied"),
    403: (PermissionDenied, "Permission denied"),
    404: (NotFound, "Not found"),
    408: (BackendUnavailable, "The service gave up"),
    412: (PreconditionFailed, "Precondition failed"),
    429: (BackendUnavailable, "The service is overloaded"),
}

#: Answers that repeat what the path already says; all others show the service's words.
_PLAIN: Final = frozenset(
    {"BlobNotFound", "PathNotFound", "BlobAlreadyExists", "PathAlreadyExists"}
)

_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_CODE: Final = re.compile(rb'<Code>([^<]{1,100})</Code>|"code"\s*:\s*"([^"]{1,100})"')
_MESSAGE: Final = re.compile(
    rb'<Message>(.*?)(?:\n|\r|</Message>)|"message"\s*:\s*"(.*?)(?:\\n|")', re.DOTALL
)


def error_code(headers: Mapping[str, str], body: bytes) -> str:
    """Return the service's error code, ``""`` if it gave none."""
    code = headers.get("x-ms-error-code")
    if code:
        return code
    found = _CODE.search(body)
    return (found[1] or found[2]).decode("ascii", "replace") if found else ""


def service_message(body: bytes) -> str:
    """Return the service's own words, one line without secrets, ``""`` if it gave none."""
    found = _MESSAGE.search(body)
    text = (found[1] or found[2] or b"").decode("utf-8", "replace") if found else ""
    return redacted(text.strip())[:300]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """
    Return how many seconds the service asks the client to wait.

    It says so in milliseconds (``x-ms-retry-after-ms``, ``retry-after-ms``),
    seconds, or as an HTTP date (``Retry-After``); None if it does not, or not
    in a readable form, such as one of more than ten digits.
    """
    for name in ("x-ms-retry-after-ms", "retry-after-ms"):
        text = headers.get(name, "").strip()
        if _SECONDS.fullmatch(text):
            return int(text) / 1000
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    return _until(text) if text else None


def _until(date: str) -> float | None:
    from email.utils import parsedate_to_datetime  # rarely needed, slow to import

    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError):
        return None


def _entry(status: int, code: str) -> tuple[type[RemoteStoreError], str]:
    if "Lease" in code:
        return ResourceLocked, "Locked by a lease"
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500 and status not in (501, 505):
        return BackendUnavailable, "The service failed"
    if status == 409:
        return RemoteStoreError, "The service reports a conflict"
    return RemoteStoreError, "The service refused the request"


def error_of(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    path: str | None,
    backend: str,
    message: str | None = None,
    outcome_unknown: bool = False,
) -> RemoteStoreError:
    """
    Return the error that an answer of the service stands for.

    Args:
        status: Its HTTP status.
        headers: Its headers, found whatever the case of their names.
        body: Its body; a HEAD has none, then the headers must do.
        path: The key concerned, None for the container.
        backend: Name of the backend.
        message: Instead of the table's words.
        outcome_unknown: The request may have been carried out.
    """
    code = error_code(headers, body)
    cls, text = _entry(status, code)
    if message is None:
        message = f"{text}: {path}" if path else text
        if code not in _PLAIN:
            words = service_message(body)
            told = " ".join(part for part in (str(status), code) if part)
            message += f" ({told}: {words})" if words else f" ({told})"
    return cls(
        message,
        path=path,
        backend=backend,
        status=status,
        code=code or None,
        request_id=headers.get("x-ms-request-id"),
        retry_after=retry_after(headers),
        outcome_unknown=outcome_unknown,
    )
