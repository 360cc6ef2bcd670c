"""What a page of List Blobs says, read without the SDK's generic deserialiser."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element, XMLParser

from remote_store import ContentDigest
from remote_store_objects import ObjectInfo, Page

__all__ = ["http_time", "is_size", "parse_page"]

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
#: Bytes given to the parser, and entries read from it, in one step.
_PIECE: Final = 1 << 16
_ENTRIES: Final = 128


def http_time(text: str) -> datetime:
    """
    Return the time of an HTTP date such as ``Fri, 19 Jun 2026 17:06:07 GMT``.

    Raises:
        ValueError: *text* is not such a date.
    """
    # Fixed columns, since each blob of a listing has one: the parser of the
    # standard library takes twenty times as long.
    try:
        if len(text) != 29 or text[25:] != " GMT":
            raise ValueError
        return datetime(
            int(text[12:16]),
            _MONTHS[text[8:11]],
            int(text[5:7]),
            int(text[17:19]),
            int(text[20:22]),
            int(text[23:25]),
            tzinfo=UTC,
        )
    except (KeyError, ValueError):
        msg = f"not an HTTP date: {text!r}"
        raise ValueError(msg) from None


def is_size(text: str) -> bool:
    """Return True for a number of bytes: digits, and not more than a size can have."""
    return text.isascii() and text.isdecimal() and len(text) < 20


def parse_page(body: bytes) -> Generator[None, None, Page]:
    """
    Return what the body of a List Blobs answer says.

    A generator, for the sake of the loop: a full page takes a third of a
    second, and each step of it a few milliseconds.

    Raises:
        ValueError: It is another document.
    """
    # The answer of the account's own endpoint; expat itself limits what
    # entities may expand to.
    parser = XMLParser()  # noqa: S314
    try:
        for start in range(0, len(body), _PIECE):
            parser.feed(body[start : start + _PIECE])
            yield
        root: Element = parser.close()
    except (SyntaxError, LookupError) as error:  # the latter for an unknown encoding
        msg = f"it is no XML: {error}"
        raise ValueError(msg) from error
    if root.tag != "EnumerationResults":
        msg = f"it is a document of another kind: {root.tag!r}"
        raise ValueError(msg)
    blobs: list[ObjectInfo] = []
    prefixes: list[str] = []
    for count, entry in enumerate(root.iterfind("Blobs/*"), 1):
        if entry.tag == "Blob":
            blobs.append(_blob(entry))
        elif entry.tag == "BlobPrefix":
            prefixes.append(_name(entry.find("Name")))
        if count % _ENTRIES == 0:
            yield
    return Page(blobs, prefixes, root.findtext("NextMarker") or "")


def _name(element: Element | None) -> str:
    if element is None or element.text is None:
        msg = "an entry has no name"
        raise ValueError(msg)
    # Names with characters that XML cannot carry come percent-encoded, and
    # only those.
    return unquote(element.text) if element.get("Encoded") == "true" else element.text


def _blob(element: Element) -> ObjectInfo:
    properties: dict[str, str | None] = {}
    metadata: dict[str, str] = {}
    name: Element | None = None
    # Each level by itself: a metadata key may be called Name or Etag.
    for child in element:
        tag = child.tag
        if tag == "Name":
            name = child
        elif tag == "Properties":
            for item in child:
                properties[item.tag] = item.text
        elif tag == "Metadata":
            metadata = {item.tag: item.text or "" for item in child}
    get = properties.get
    modified = get("Last-Modified")
    length = get("Content-Length") or "0"
    if not is_size(length):
        msg = f"the size of a blob is {length!r}"
        raise ValueError(msg)
    folder = get("ResourceType") == "directory"
    for key in _folder_marks(metadata):
        folder = metadata.pop(key).lower() == "true" or folder
    return ObjectInfo(
        _name(name),
        int(length),
        (get("Etag") or "").strip('"') or None,
        http_time(modified) if modified else None,
        _digest(get("Content-MD5")),
        get("Content-Type"),
        metadata,
        is_folder=folder,
    )


def _folder_marks(metadata: Iterable[str]) -> list[str]:
    # Keys keep the case they were stored with, and mean the same in every case.
    return [key for key in metadata if len(key) == 12 and key.lower() == "hdi_isfolder"]


def _digest(text: str | None) -> ContentDigest | None:
    if not text:
        return None
    try:
        return ContentDigest("md5", base64.b64decode(text, validate=True).hex())
    except binascii.Error as error:
        msg = f"a Content-MD5 is no base64: {text!r}"
        raise ValueError(msg) from error
