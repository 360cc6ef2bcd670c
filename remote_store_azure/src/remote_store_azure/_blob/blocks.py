"""The names of blocks, and the list of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, XMLParser

from remote_store import ContentDigest
from remote_store_objects import Part

__all__ = ["ALGORITHM", "block_id", "block_list", "committed_ids", "content_id", "left_blocks"]

#: What the ids of blocks are made with whose names tell their content.
ALGORITHM: Final = "sha224"
#: What stands before it in these ids: no hexadecimal digit, and not of another client.
_OURS: Final = b"rs1:"


def block_id(token: str, number: int) -> str:
    """
    Return the name of a block, 48 characters.

    No other client makes the same ones, so that they show whose upload was
    committed; and they are as long as those of the SDK, since all uncommitted
    blocks of a blob have to be named at one length.

    Args:
        token: Of the upload, 30 hexadecimal digits.
        number: Of the block.
    """
    # Base64 of 36 hexadecimal digits: no padding, nothing to quote in a URL.
    return base64.b64encode(f"{token}{number:06x}".encode()).decode()


def content_id(number: int, digest: str) -> str:
    """
    Return the name of a block that tells its content, as long as that of `block_id`.

    Args:
        number: Of the block.
        digest: By `ALGORITHM`, in hexadecimal digits.
    """
    return base64.b64encode(_OURS + number.to_bytes(4) + bytes.fromhex(digest)).decode()


def left_blocks(body: bytes) -> list[Part]:
    """
    Return the blocks in the body of a Get Block List answer whose names tell their content.

    Raises:
        ValueError: It is another document.
    """
    parts = []
    for block in _document(body).iterfind("*/Block"):
        name, size = block.findtext("Name") or "", block.findtext("Size") or ""
        try:
            raw = base64.b64decode(name, validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) == 36 and raw.startswith(_OURS):
            digest = ContentDigest(ALGORITHM, raw[8:].hex())
            parts.append(Part(int.from_bytes(raw[4:8]), int(size), name, digest=digest))
    return parts


def block_list(ids: Sequence[str]) -> bytes:
    """Return the body of the Put Block List request that commits *ids* in this order."""
    # Latest, not Uncommitted: a commit that is sent again finds its blocks in
    # the blob that it made itself.
    entries = "".join(f"<Latest>{name}</Latest>" for name in ids)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{entries}</BlockList>'.encode()


def committed_ids(body: bytes) -> list[str]:
    """
    Return the ids in the body of a Get Block List answer.

    Raises:
        ValueError: It is another document.
    """
    return [name.text or "" for name in _document(body).iterfind("CommittedBlocks/Block/Name")]


def _document(body: bytes) -> Element:
    parser = XMLParser()  # noqa: S314 - the answer of the account's own endpoint
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (SyntaxError, LookupError) as error:
        msg = f"it is no XML: {error}"
        raise ValueError(msg) from error
    return root
