"""What the headers of a response say about a blob, and the headers that store what it keeps."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from remote_store import ContentDigest, RemoteStoreError
from remote_store_azure._blob.list_xml import http_time
from remote_store_azure._keys import NAME
from remote_store_azure._rest.operations import OCTET_STREAM
from remote_store_objects import Attributes, MetadataRules, ObjectInfo, Written
from remote_store_objects.http import etag_of

__all__ = [
    "FOLDER_MARK",
    "METADATA",
    "blob_info",
    "deletion",
    "digest_of_md5",
    "is_directory",
    "kept_metadata",
    "stored_headers",
    "stored_metadata",
    "time_of",
    "written",
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
)

#: What the service changes, trims or refuses could not be returned as it was given.
METADATA: Final = MetadataRules(
    key=re.compile(r"(?!(?i:hdi_isfolder)\Z)[A-Za-z_][A-Za-z0-9_]*"),
    words=(
        "keys are identifiers of ASCII letters, digits and underscores, not hdi_isfolder, which "
        "marks a folder; values are printable ASCII without blanks around them"
    ),
    most=8 << 10,
)


def time_of(text: str | None) -> datetime | None:
    """Return the time of an HTTP date, None where there is none."""
    if text is None:
        return None
    try:
        return http_time(text)
    except ValueError:
        return None


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


def kept_metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """Return what of a blob's metadata is the user's own."""
    return {k: v for k, v in metadata.items() if k.lower() != FOLDER_MARK}


def blob_info(key: str, headers: Mapping[str, str], size: int | None = None) -> ObjectInfo:
    """
    Return what the response to a HEAD or GET says about a blob.

    Args:
        key: Its name.
        headers: Of the response, found whatever the case of their names.
        size: Its bytes; None if they are the response's length.

    Raises:
        RemoteStoreError: The response does not have the size.
    """
    if size is None:
        length = headers.get("Content-Length", "")
        if not length.isdecimal():
            msg = f"The service's answer has no Content-Length header, which tells the size: {key}"
            raise RemoteStoreError(msg, path=key, backend=NAME)
        size = int(length)
    start = len(_META)
    metadata = {n[start:]: v for n, v in headers.items() if n[:start].lower() == _META}
    return ObjectInfo(
        key,
        size,
        etag_of(headers.get("ETag")),
        time_of(headers.get("Last-Modified")),
        digest_of_md5(_md5_of(headers)),
        headers.get("Content-Type"),
        kept_metadata(metadata) if metadata else metadata,
        {name: headers[name] for name in _KEPT if name in headers},
        bool(metadata) and is_directory(headers),
    )


def stored_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that store user metadata which `METADATA` allows."""
    return {f"{_META}{key}": value for key, value in metadata.items()}


def stored_headers(attributes: Attributes) -> dict[str, str]:
    """Return the headers that store with a blob what it keeps beside its bytes."""
    headers = {"x-ms-blob-content-type": attributes.content_type or OCTET_STREAM}
    for name, value in attributes.headers.items():
        headers[f"x-ms-blob-{name.lower()}"] = value
    return headers | stored_metadata(attributes.metadata)


def deletion(snapshots: bool, etag: str | None = None) -> dict[str, str]:
    """
    Return the headers of a request to delete a blob.

    Args:
        snapshots: With its snapshots; else the service refuses if it has some.
        etag: Only this version.
    """
    headers = {"x-ms-delete-snapshots": "include"} if snapshots else {}
    if etag is not None:
        headers["If-Match"] = f'"{etag}"'
    return headers


def written(headers: Mapping[str, str], *, md5: bool) -> Written:
    """
    Return what the response to a write says.

    Args:
        headers: Of the answer that made the content visible.
        md5: Its Content-MD5 is that of the content. It is not where a list of
            blocks was sent.
    """
    return Written(
        etag_of(headers.get("ETag")),
        time_of(headers.get("Last-Modified")),
        headers.get("x-ms-version-id") or None,
        digest_of_md5(_md5_of(headers)) if md5 else None,
    )
