"""What the headers of a response say about a blob, and the headers that carry user metadata."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from remote_store import (
    UNKNOWN_TIME,
    ContentDigest,
    FileInfo,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store_azure._blob.list_xml import http_time
from remote_store_azure._keys import NAME

__all__ = [
    "deletion",
    "digest_of_md5",
    "etag_of",
    "file_info",
    "is_directory",
    "kept_headers",
    "metadata_headers",
    "metadata_of",
    "time_of",
    "user_metadata",
    "write_result",
]

_META: Final = "x-ms-meta-"
#: The metadata key with which tools mark a blob as standing for a folder.
FOLDER_MARK: Final = "hdi_isfolder"

#: What a blob keeps and gives back as it is.
_KEPT: Final = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-MD5",
    "Content-Type",
)

_PRINTABLE = re.compile(r"([!-~]([ -~]*[!-~])?)?")


def time_of(text: str | None) -> datetime:
    """Return the time of an HTTP date, `UNKNOWN_TIME` where there is none."""
    if text is None:
        return UNKNOWN_TIME
    try:
        return http_time(text)
    except ValueError:
        return UNKNOWN_TIME


def etag_of(headers: Mapping[str, str]) -> str | None:
    """Return the version token without its quotes, in the service's case."""
    etag = headers.get("ETag")
    return etag.strip('"') if etag else None


def digest_of_md5(md5: bytes | None) -> ContentDigest | None:
    """Return the digest of an MD5 as the service keeps it."""
    return ContentDigest("md5", md5.hex()) if md5 else None


def _md5_of(headers: Mapping[str, str]) -> bytes | None:
    # Where a range was asked for, Content-MD5 would be that of the range.
    text = headers.get("x-ms-blob-content-md5") or headers.get("Content-MD5")
    if not text:
        return None
    try:
        return b64decode(text)
    except ValueError:  # binascii's own is one, and so is that for other than ASCII
        return None


def is_directory(headers: Mapping[str, str]) -> bool:
    """Return True for a blob that stands for a folder."""
    return headers.get(_META + FOLDER_MARK, "").lower() == "true"


def metadata_of(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Return the user metadata of a blob, None where it has none."""
    start = len(_META)
    return user_metadata(
        {name[start:]: value for name, value in headers.items() if name[:start].lower() == _META}
    )


def user_metadata(metadata: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return what of a blob's metadata is the user's own, None where that is nothing."""
    if not metadata:
        return None
    return {k: v for k, v in metadata.items() if k.lower() != FOLDER_MARK} or None


def metadata_headers(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """
    Return the headers that store user metadata.

    The service changes, trims or refuses whatever is not an identifier or not
    printable, so that it could not be returned as it was given.

    Raises:
        ValueError: A key is not an ASCII identifier, equals another one but for
            its case, or marks folders; a value has other than printable ASCII
            characters, or begins or ends with a blank.
    """
    if not metadata:
        return {}
    headers: dict[str, str] = {}
    seen: set[str] = set()
    for key, value in metadata.items():
        if not (key.isascii() and key.isidentifier()):
            msg = (
                f"metadata key {key!r} cannot be stored: Azure takes only identifiers "
                "(letters, digits and underscores, no leading digit)"
            )
            raise ValueError(msg)
        folded = key.lower()
        if folded == FOLDER_MARK:
            msg = f"metadata key {key!r} cannot be stored: on Azure it marks a folder"
            raise ValueError(msg)
        if folded in seen:
            msg = f"metadata key {key!r} appears twice: Azure tells no upper from lower case"
            raise ValueError(msg)
        if _PRINTABLE.fullmatch(value) is None:
            msg = (
                f"metadata value of {key!r} cannot be stored: Azure takes only printable ASCII "
                "without blanks around it"
            )
            raise ValueError(msg)
        seen.add(folded)
        headers[_META + key] = value
    return headers


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that store with a copy what a blob keeps beside content and metadata."""
    return {f"x-ms-blob-{name.lower()}": headers[name] for name in _KEPT if name in headers}


def deletion(snapshots: bool, etag: str | None = None) -> dict[str, str]:
    """
    Return the headers of a request to delete a blob.

    Args:
        snapshots: With its snapshots; else the service refuses if it has some.
        etag: Only this version, in quotes.
    """
    headers = {"x-ms-delete-snapshots": "include"} if snapshots else {}
    if etag is not None:
        headers["If-Match"] = etag
    return headers


def file_info(key: str, headers: Mapping[str, str]) -> FileInfo:
    """
    Return what the response to a HEAD or GET of a whole blob says about it.

    Raises:
        RemoteStoreError: It does not have the size.
    """
    size = headers.get("Content-Length", "")
    if not size.isdecimal():
        msg = f"The service's answer has no Content-Length header, which tells the size: {key}"
        raise RemoteStoreError(msg, path=key, backend=NAME)
    path = RemotePath(key)
    return FileInfo(
        path,
        path.name,
        int(size),
        time_of(headers.get("Last-Modified")),
        digest_of_md5(_md5_of(headers)),
        etag_of(headers),
        headers.get("Content-Type"),
        metadata_of(headers),
    )


def write_result(
    key: str,
    headers: Mapping[str, str],
    size: int,
    metadata: Mapping[str, str] | None,
    *,
    md5: bool = True,
) -> WriteResult:
    """
    Return what the response to a write says.

    Args:
        key: The key.
        headers: Headers of the answer that made the content visible.
        size: Bytes written.
        metadata: What was stored with them.
        md5: The answer's Content-MD5 is that of the content. It is not where
            a list of blocks was sent.
    """
    time = time_of(headers.get("Last-Modified"))
    return WriteResult(
        RemotePath(key),
        size,
        "native",
        digest_of_md5(_md5_of(headers)) if md5 else None,
        etag_of(headers),
        headers.get("x-ms-version-id") or None,
        None if time is UNKNOWN_TIME else time,
        None if metadata is None else dict(metadata),
    )
