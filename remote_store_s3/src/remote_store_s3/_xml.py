"""The documents of the service, and those for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, unquote_plus, urlencode
from xml.etree.ElementTree import Element, XMLParser
from xml.sax.saxutils import escape

from remote_store_objects import ObjectInfo, Page, Part, Upload, UploadPage
from remote_store_objects.http import etag_of

__all__ = [
    "commit_document",
    "delete_document",
    "document",
    "fits_xml",
    "page_of",
    "parts_of",
    "uploads_of",
    "uploads_query",
]

#: What no document can carry, not even escaped.
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

#: XML reads one that is not escaped as a line feed.
_RETURN: Final = {"\r": "&#13;"}


def document(body: bytes, root: str) -> tuple[Element, str]:
    """
    Return a document's root, and what stands before each name in it: the namespace.

    Args:
        body: The answer's.
        root: Name of the element that the answer must have.

    Raises:
        ValueError: It is no such document.
    """
    # From the endpoint that the caller chose; expat limits what entities expand to.
    parser = XMLParser()  # noqa: S314
    try:
        parser.feed(body.lstrip())  # a long request is kept alive by blanks
        found: Element = parser.close()
    except (SyntaxError, LookupError) as error:
        msg = f"it is no XML: {error}"
        raise ValueError(msg) from error
    space, brace, name = found.tag.rpartition("}")
    if name != root:
        msg = f"it is a document of another kind: {name!r}"
        raise ValueError(msg)
    return found, space + brace


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def page_of(body: bytes) -> Page:
    """
    Return what an answer to ListObjectsV2 says.

    Raises:
        ValueError: It is no such document.
    """
    root, space = document(body, "ListBucketResult")
    plain = root.findtext(f"{space}EncodingType") == "url"
    contents, common = f"{space}Contents", f"{space}CommonPrefixes"
    key, size, time, etag = (f"{space}{n}" for n in ("Key", "Size", "LastModified", "ETag"))
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    for entry in root:
        if entry.tag == contents:
            found = {item.tag: item.text for item in entry}
            name = found[key] or ""
            objects.append(
                ObjectInfo(
                    unquote_plus(name) if plain else name,
                    int(found[size] or ""),
                    etag_of(found.get(etag)),
                    _time(found[time] or ""),
                )
            )
        elif entry.tag == common:
            name = entry.findtext(f"{space}Prefix") or ""
            prefixes.append(unquote_plus(name) if plain else name)
    more = root.findtext(f"{space}IsTruncated") == "true"
    token = root.findtext(f"{space}NextContinuationToken") or ""
    if more and not token:
        msg = "it is truncated and does not tell how to go on"
        raise ValueError(msg)
    return Page(objects, prefixes, token if more else "")


def uploads_of(body: bytes) -> UploadPage:
    """
    Return what an answer to ListMultipartUploads says.

    Raises:
        ValueError: It is no such document.
    """
    root, space = document(body, "ListMultipartUploadsResult")
    plain = root.findtext(f"{space}EncodingType") == "url"
    uploads = []
    for entry in root.iterfind(f"{space}Upload"):
        key, started = entry.findtext(f"{space}Key") or "", entry.findtext(f"{space}Initiated")
        uploads.append(
            Upload(
                unquote_plus(key) if plain else key,
                entry.findtext(f"{space}UploadId") or "",
                _time(started) if started else None,
            )
        )
    if root.findtext(f"{space}IsTruncated") != "true":
        return UploadPage(uploads)
    marker = root.findtext(f"{space}NextKeyMarker") or ""
    after = root.findtext(f"{space}NextUploadIdMarker") or ""
    pairs = {"key-marker": unquote_plus(marker) if plain else marker, "upload-id-marker": after}
    return UploadPage(uploads, urlencode(pairs))


def parts_of(body: bytes) -> tuple[list[Part], bool]:
    """
    Return what an answer to ListParts says, and whether there is another page.

    Raises:
        ValueError: It is no such document.
    """
    root, space = document(body, "ListPartsResult")
    parts = [
        Part(
            int(entry.findtext(f"{space}PartNumber") or ""),
            int(entry.findtext(f"{space}Size") or ""),
            etag_of(entry.findtext(f"{space}ETag")) or "",
            entry.findtext(f"{space}ChecksumCRC32"),
        )
        for entry in root.iterfind(f"{space}Part")
    ]
    return parts, root.findtext(f"{space}IsTruncated") == "true"


def uploads_query(token: str) -> dict[str, str]:
    """Return the query that a token of `uploads_of` stands for."""
    return dict(parse_qsl(token))


def fits_xml(key: str) -> bool:
    """Return True if a document can carry a key."""
    return not _UNFIT.search(key)


def delete_document(keys: Iterable[str]) -> bytes:
    """Return the body of DeleteObjects."""
    objects = "".join([f"<Object><Key>{escape(key, _RETURN)}</Key></Object>" for key in keys])
    return f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()


def commit_document(parts: Sequence[Part]) -> bytes:
    """Return the body of CompleteMultipartUpload."""
    items = []
    for part in parts:
        crc = f"<ChecksumCRC32>{part.detail}</ChecksumCRC32>" if part.detail else ""
        etag = f"<ETag>&quot;{escape(part.token)}&quot;</ETag>"
        items.append(f"<Part>{crc}{etag}<PartNumber>{part.number}</PartNumber></Part>")
    return f"<CompleteMultipartUpload>{''.join(items)}</CompleteMultipartUpload>".encode()
