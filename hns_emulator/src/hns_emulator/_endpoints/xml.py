"""The XML of the Blob endpoint: listings and block lists."""

from __future__ import annotations

from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from hns_emulator._endpoints.messages import BOM
from hns_emulator._errors import ServiceError
from hns_emulator._state.clock import etag, http_date
from hns_emulator._state.tree import Filesystem, Node

__all__ = ["blob_list", "block_list", "container_list", "parse_block_list"]

_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_PLACES = {"Latest", "Uncommitted", "Committed"}


def _element(name: str, text: str | None) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else f"<{name} />"


def _name(text: str) -> str:
    if any(character in "\ufffe\uffff" for character in text):
        return f'<Name Encoded="true">{escape(quote(text))}</Name>'
    return f"<Name>{escape(text)}</Name>"


def _properties(node: Node) -> str:
    kind = "directory" if node.is_directory else "file"
    elements = [
        ("Creation-Time", http_date(node.created)),
        ("Last-Modified", http_date(node.changed)),
        ("Etag", etag(node.changed)),
        ("ResourceType", kind),
        ("Content-Length", str(len(node.content))),
        ("Content-Type", None if node.is_directory else node.content_type),
        ("Content-Encoding", node.http.get("Content-Encoding")),
        ("Content-Language", node.http.get("Content-Language")),
        ("Content-CRC64", None),
        ("Content-MD5", node.md5),
        ("Cache-Control", node.http.get("Cache-Control")),
        ("Content-Disposition", node.http.get("Content-Disposition")),
        ("BlobType", "BlockBlob"),
        ("AccessTier", "Hot"),
        ("AccessTierInferred", "true"),
        ("LeaseStatus", "unlocked"),
        ("LeaseState", "available"),
        ("ServerEncrypted", "true"),
    ]
    inner = "".join(_element(name, text) for name, text in elements)
    return f"<Properties>{inner}</Properties>"


def _metadata(pairs: dict[str, str]) -> str:
    if not pairs:
        return "<Metadata />"
    inner = "".join(_element(name, value) for name, value in pairs.items())
    return f"<Metadata>{inner}</Metadata>"


def blob_list(
    endpoint: str,
    container: str,
    asked: list[tuple[str, str]],
    entries: list[tuple[str, Node, dict[str, str] | None]],
    following: str | None,
    *,
    delimited: bool,
) -> bytes:
    """
    Return the body of a listing.

    *asked* are the queries that the service repeats, as element and text;
    *entries* are name, node, and metadata where it was asked for; *following*
    is the marker of the next page. If *delimited*, directories are prefixes,
    which here have properties too.
    """
    parts = [
        BOM.decode(),
        _HEAD,
        f'<EnumerationResults ServiceEndpoint="{escape(endpoint)}" '
        f'ContainerName="{escape(container)}">',
        *(_element(name, text) for name, text in asked),
        "<Blobs>",
    ]
    for name, node, metadata in entries:
        if delimited and node.is_directory:
            parts.append(f"<BlobPrefix>{_name(name + '/')}{_properties(node)}</BlobPrefix>")
            continue
        shown = "" if metadata is None else _metadata(metadata)
        parts.append(f"<Blob>{_name(name)}{_properties(node)}{shown}<OrMetadata /></Blob>")
    parts += ["</Blobs>", _element("NextMarker", following), "</EnumerationResults>"]
    return "".join(parts).encode()


def container_list(
    endpoint: str,
    asked: list[tuple[str, str]],
    containers: list[Filesystem],
    following: str | None,
    *,
    with_metadata: bool,
) -> bytes:
    """Return the body of a listing of containers; its arguments are as those of `blob_list`."""
    parts = [
        BOM.decode(),
        _HEAD,
        f'<EnumerationResults ServiceEndpoint="{escape(endpoint)}">',
        *(_element(name, text) for name, text in asked),
        "<Containers>",
    ]
    for fs in containers:
        elements = [
            ("Last-Modified", http_date(fs.root.changed)),
            ("Etag", f'"{etag(fs.root.changed)}"'),
            ("LeaseStatus", "unlocked"),
            ("LeaseState", "available"),
            ("DefaultEncryptionScope", "$account-encryption-key"),
            ("DenyEncryptionScopeOverride", "false"),
            ("HasImmutabilityPolicy", "false"),
            ("HasLegalHold", "false"),
            ("ImmutableStorageWithVersioningEnabled", "false"),
        ]
        inner = "".join(_element(name, text) for name, text in elements)
        shown = _metadata(fs.metadata) if with_metadata else ""
        name = _element("Name", fs.name)
        parts.append(f"<Container>{name}<Properties>{inner}</Properties>{shown}</Container>")
    parts += ["</Containers>", _element("NextMarker", following), "</EnumerationResults>"]
    return "".join(parts).encode()


def block_list(committed: dict[str, bytes] | None, staged: dict[str, bytes] | None) -> bytes:
    """Return the body of Get Block List; None for a list that was not asked for."""
    parts = [BOM.decode(), _HEAD, "<BlockList>"]
    for element, blocks in (("CommittedBlocks", committed), ("UncommittedBlocks", staged)):
        if blocks is not None:
            inner = "".join(
                f"<Block>{_name(block)}<Size>{len(data)}</Size></Block>"
                for block, data in blocks.items()
            )
            parts.append(f"<{element}>{inner}</{element}>")
    parts.append("</BlockList>")
    return "".join(parts).encode()


def parse_block_list(body: bytes) -> list[tuple[str, str]]:
    """
    Return place and id of each block of a Put Block List body.

    Raises:
        ServiceError: InvalidXmlDocument.
    """
    if b"<!DOCTYPE" in body:
        raise ServiceError(code="InvalidXmlDocument")
    try:
        # Entities need a DOCTYPE, which is refused above.
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        raise ServiceError(code="InvalidXmlDocument") from None
    blocks = [(element.tag, element.text or "") for element in root]
    if root.tag != "BlockList" or any(place not in _PLACES for place, _ in blocks):
        raise ServiceError(code="InvalidXmlDocument")
    return blocks
